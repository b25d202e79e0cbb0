// Copies published files to another folder, one task a group of files; an existing file is never overwritten.
const JOB_TYPE = {
  label: "Publish Copy",
  description: "Copy files to a folder.",
  settings: [
    { key: "files", type: "string", required: true,
      description: "Files to copy, one a line or separated by semicolons. 'a.exr -> b.exr' gives a new name." },
    { key: "destination", type: "string", subtype: "dir_path", required: true, description: "The folder to copy to." },
    { key: "files_per_task", type: "int32", default: 20, propargs: { min: 1 }, visible: "submission",
      description: "How many files a task copies." },
    { key: "message", type: "string", default: "", description: "Written to the log when all is copied." },
  ],
};

function compileJob(job) {
  const settings = job.settings;
  const copies = parseFiles(settings.files, settings.destination);
  if (copies.length === 0) throw new Error("the setting files names no file");
  const perTask = settings.files_per_task || 20;

  const tasks = [];
  for (let start = 0; start < copies.length; start += perTask) {
    const group = copies.slice(start, start + perTask);
    const task = author.Task(`copy ${start + 1}-${start + group.length}`, "file-management");
    for (const copy of group) task.addCommand(author.Command("copy-file", copy));
    tasks.push(task);
    job.addTask(task);
  }

  const report = author.Task("report", "misc");
  const message = settings.message || `${copies.length} files copied to ${settings.destination}`;
  report.addCommand(author.Command("echo", { message: message }));
  for (const task of tasks) report.addDependency(task);
  job.addTask(report);
}

function parseFiles(text, destination) {
  if (!destination) throw new Error("the setting destination is empty");
  const copies = [];
  const seen = new Set();
  for (const line of String(text || "").split(/[;\r\n]+/)) {
    const parts = line.split("->").map((part) => part.trim());
    if (!parts[0]) continue;
    const dest = path.join(destination, parts[1] || path.basename(parts[0]));
    if (seen.has(dest)) throw new Error(`two files would be copied to ${dest}`);
    seen.add(dest);
    copies.push({ src: parts[0], dest: dest });
  }
  return copies;
}
