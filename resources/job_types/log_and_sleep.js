// Writes a message to the task log, then waits: the smallest useful job, to see a farm or a script at work.
const JOB_TYPE = {
  label: "Log and Sleep",
  description: "Write a message to the log and wait for a while.",
  settings: [
    { key: "message", type: "string", required: true, description: "What to write to the log." },
    { key: "sleep_duration_seconds", type: "int32", default: 1, propargs: { min: 0 },
      description: "How long to wait afterwards." },
  ],
};

function compileJob(job) {
  const settings = job.settings;
  const log = author.Task("log", "misc");
  log.addCommand(author.Command("echo", { message: settings.message }));
  job.addTask(log);

  const sleep = author.Task("sleep", "misc");
  sleep.addCommand(author.Command("sleep", { duration_in_seconds: settings.sleep_duration_seconds }));
  sleep.addDependency(log);
  job.addTask(sleep);
}
