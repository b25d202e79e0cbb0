// Renders a Blender file in chunks of frames and makes a preview video of the result.
const JOB_TYPE = {
  label: "Blender Frames",
  description: "Render frames in chunks, then a preview video.",
  settings: [
    { key: "blendfile", type: "string", required: true, visible: "web", description: "The file to render." },
    { key: "frames", type: "string", required: true, eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
      evalInfo: { showLinkButton: true, description: "Scene frame range" }, description: "e.g. 1-10, 20..30" },
    { key: "chunk_size", type: "int32", default: 5, propargs: { min: 1 }, visible: "submission",
      description: "Frames a task." },
    { key: "render_output_root", type: "string", subtype: "dir_path", required: true, visible: "submission",
      description: "Folder below which the job's own folder is made." },
    { key: "add_path_components", type: "int32", default: 0, propargs: { min: 0, max: 32 }, visible: "submission",
      description: "How many folders of the blend file's path to add." },
    { key: "image_file_extension", type: "string", required: true, visible: "hidden", default: ".png",
      eval: "C.scene.render.file_extension", description: "Extension of the frames." },
    { key: "fps", type: "float", visible: "hidden", default: 24, eval: "C.scene.render.fps / C.scene.render.fps_base" },
    { key: "preview_video", type: "bool", default: true, visible: "submission", description: "Make an mp4 of the frames." },
    { key: "render_output_path", type: "string", subtype: "file_path", editable: false, visible: "web",
      description: "Where the frames go; filled in at submission." },
  ],
};

const VIDEO_READABLE = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".tga"];

function compileJob(job) {
  const settings = job.settings;
  const folder = outputFolder(job);
  settings.render_output_path = path.join(folder, "######");

  const chunks = frameChunker(settings.frames, settings.chunk_size || 5);
  const renders = [];
  for (const chunk of chunks) {
    const task = author.Task(`render-${chunk}`, "blender");
    task.addCommand(author.Command("blender-render", {
      exe: "{blender}",
      exeArgs: "{blenderArgs}",
      argsBefore: [],
      blendfile: settings.blendfile,
      args: ["--render-output", settings.render_output_path, "--render-format", "PNG"]
        .slice(0, settings.image_file_extension === ".png" ? 4 : 2)
        .concat(["--render-frame", chunk.replace(/-/g, "..")]),
    }, countFrames(chunk)));
    renders.push(task);
    job.addTask(task);
  }
  addPreview(job, folder, renders);
}

function countFrames(chunk) {
  return typeof frameCount === "function" ? frameCount(chunk) : 0;
}

function outputFolder(job) {
  const settings = job.settings;
  const parts = path.dirname(settings.blendfile).split("/").filter((part) => part && !part.endsWith(":"));
  const count = settings.add_path_components || 0;
  const components = count > 0 ? parts.slice(-count) : [];
  const stamp = formatTimestampLocal(job.created);
  return path.join(settings.render_output_root, ...components, path.stem(job.name || settings.blendfile), stamp);
}

function addPreview(job, folder, renders) {
  const settings = job.settings;
  if (settings.preview_video === false) return;
  if (!VIDEO_READABLE.includes(String(settings.image_file_extension).toLowerCase())) {
    print("no preview video: FFmpeg cannot read", settings.image_file_extension);
    return;
  }
  const task = author.Task("preview-video", "ffmpeg");
  const range = String(settings.frames).replace(/[^0-9,-]+/g, "-");
  task.addCommand(author.Command("frames-to-video", {
    exe: "ffmpeg",
    fps: settings.fps || 24,
    inputGlob: path.join(folder, "*" + settings.image_file_extension),
    outputFile: path.join(folder, `preview-${range}.mp4`),
    args: ["-c:v", "h264", "-crf", "20", "-g", "18", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-y"],
  }));
  for (const render of renders) task.addDependency(render);
  job.addTask(task);
}
