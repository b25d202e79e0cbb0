// A sequence from simulation to the client's movie.
const JOB_TYPE = {
  label: "Sequence Render",
  description: "Simulate, render in chunks, denoise, composite, encode and publish a shot.",
  settings: [
    { key: "shot", type: "string", required: true, default: "001_0010", description: "Shot name" },
    { key: "frames", type: "string", required: true, default: "1001-1498",
      eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'", description: "Frame range" },
    { key: "chunk_size", type: "int32", default: 2, propargs: { min: 1, max: 200 },
      description: "Frames in one render task" },
    { key: "layers", type: "string", choices: ["beauty", "beauty+volumes"], default: "beauty+volumes" },
    { key: "blendfile", type: "string", subtype: "file_path", required: true,
      default: "/data/production/bigbuck/shots/001/001_0010/scene/lighting/001_0010_v07.blend" },
    { key: "publish", type: "bool", default: true, label: "Publish when done" },
    { key: "fps", type: "float", default: 24, visible: "hidden", eval: "C.scene.render.fps" },
  ],
};

function compileJob(job) {
  const { shot, frames, chunk_size, layers, publish } = job.settings;
  const root = path.join("/data/production/bigbuck/shots", shot.slice(0, 3), shot, "img", "render");
  const simulate = task(job, "simulate-cloth", "blender", "exec", { exe: "{blender}", args: ["-b", job.settings.blendfile] });
  const cache = task(job, "copy-cache", "file-management", "copy-file", { src: "/cache/cloth.abc", dest: `${root}/cloth.abc` }, simulate);

  const composited = [];
  for (const chunk of frameChunker(frames, chunk_size)) {
    const beauty = render(job, "beauty", chunk, root, cache);
    const passes = [beauty];
    if (layers !== "beauty") passes.push(render(job, "volumes", chunk, root, cache));
    const denoise = task(job, `denoise-${chunk}`, "blender", "exec", { exe: "{blender}", args: ["-b", "--python", "denoise.py", "--", chunk] }, ...passes);
    composited.push(task(job, `composite-${chunk}`, "blender", "exec", { exe: "{blender}", args: ["-b", "comp.blend", "-f", chunk] }, denoise));
  }
  const movie = task(job, "encode-movie", "ffmpeg", "exec",
    { exe: "ffmpeg", args: ["-framerate", "24", "-i", `${root}/comp.%04d.exr`, `${root}/${shot}.mov`] }, ...composited);
  const sheet = task(job, "contact-sheet", "ffmpeg", "exec", { exe: "ffmpeg", args: ["-i", `${root}/${shot}.mov`, `${root}/sheet.jpg`] }, movie);
  if (publish) task(job, "publish", "file-management", "move-directory", { src: root, dest: `${root}-v007` }, movie, sheet);
  print(`${shot}: ${composited.length} chunks`);
}

function render(job, layer, chunk, root, ...after) {
  return task(job, `${layer}-${chunk}`, "blender", "blender-render", {
    exe: "{blender}", exeArgs: "{blenderArgs}", argsBefore: [], blendfile: job.settings.blendfile,
    args: ["--scene", layer, "--render-output", path.join(root, layer, "######"), "--render-frame", chunk.replaceAll("-", "..")],
  }, ...after);
}

function task(job, name, type, command, parameters, ...after) {
  const made = author.Task(name, type);
  made.addCommand(author.Command(command, parameters));
  for (const other of after) made.addDependency(other);
  job.addTask(made);
  return made;
}
