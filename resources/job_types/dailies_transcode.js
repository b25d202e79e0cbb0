// Turns a frame sequence (or a movie) into an H.264 review movie with an optional slate and a thumbnail.
// A sequence is encoded in chunks on as many Workers as there are, then joined without a second encode.
const JOB_TYPE = {
  label: "Dailies Transcode",
  description: "Review mp4 with slate and thumbnail, encoded in chunks.",
  settings: [
    { key: "input", type: "string", subtype: "file_path", required: true,
      description: "A movie, or a sequence with a frame pattern such as shot.%04d.exr." },
    { key: "frames", type: "string", default: "",
      description: "Frame range of a sequence, e.g. 1001-1250; not used for a movie." },
    { key: "output", type: "string", subtype: "file_path", required: true, description: "The mp4 to make." },
    { key: "fps", type: "float", default: 24, propargs: { min: 1, max: 240 }, description: "Frames per second." },
    { key: "chunk_size", type: "int32", default: 50, propargs: { min: 1 }, description: "Frames a task." },
    { key: "width", type: "int32", default: 1920, propargs: { min: 16 }, description: "Width of the movie." },
    { key: "height", type: "int32", default: 1080, propargs: { min: 16 }, description: "Height of the movie." },
    { key: "crf", type: "int32", default: 20, propargs: { min: 0, max: 51 }, visible: "submission",
      description: "Quality: lower is better and larger." },
    { key: "slate", type: "bool", default: false, description: "Put one second of slate in front." },
    { key: "slate_text", type: "string", default: "", description: "Text of the slate; lines are split at |." },
    { key: "slate_font", type: "string", subtype: "file_path", default: "", visible: "submission",
      description: "Font file of the slate; FFmpeg's default when empty." },
    { key: "thumbnail", type: "bool", default: true, description: "Make a JPEG beside the movie." },
    { key: "ffmpeg", type: "string", default: "ffmpeg", visible: "hidden", description: "The program." },
  ],
};

const TASK_TYPE = "ffmpeg";

function compileJob(job) {
  const settings = withDefaults(job.settings);
  checkSettings(settings);
  const movie = settings.input.includes("%") ? compileSequence(job, settings) : compileMovie(job, settings);
  if (settings.thumbnail) {
    const task = ffmpegTask("thumbnail", settings, [
      "-i", settings.output, "-frames:v", "1", "-vf", "thumbnail=24,scale=640:-2", thumbnailPath(settings.output)]);
    task.addDependency(movie);
    job.addTask(task);
  }
}

// The Manager applies no defaults: a job submitted by a program may leave settings out.
function withDefaults(given) {
  const settings = {};
  for (const setting of JOB_TYPE.settings) {
    const value = given[setting.key];
    settings[setting.key] = value === undefined || value === null ? setting.default : value;
  }
  return settings;
}

function checkSettings(settings) {
  if (!settings.input) throw new Error("the setting input is empty: name a movie or a sequence like shot.%04d.exr");
  if (!settings.output) throw new Error("the setting output is empty: name the mp4 to make");
  if (settings.input.includes("%") && !settings.frames) throw new Error("a sequence needs the setting frames, e.g. 1001-1250");
}

function compileMovie(job, settings) {
  const task = ffmpegTask("transcode", settings, [
    "-i", settings.input, "-map", "0:v:0", "-map", "0:a:0?", ...videoArgs(settings), "-c:a", "aac",
    "-movflags", "+faststart", settings.output]);
  job.addTask(task);
  return task;
}

function compileSequence(job, settings) {
  const parts = [];
  let done = 0;
  if (settings.slate) {
    parts.push({ name: "slate", path: partPath(settings.output, "slate"), task: slateTask(settings) });
    done = Math.round(settings.fps);
  }
  for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
    for (const run of runsOf(chunk)) {
      const name = `encode ${run.first}-${run.last}`;
      const partFile = partPath(settings.output, String(run.first).padStart(8, "0"));
      const count = run.last - run.first + 1;
      parts.push({ name, path: partFile, task: ffmpegTask(name, settings, [
        "-framerate", String(settings.fps), "-start_number", String(run.first), "-i", settings.input,
        "-frames:v", String(count), ...videoArgs(settings), ...partArgs(done / settings.fps), partFile]) });
      done += count;
    }
  }
  const join = ffmpegTask("join", settings, [
    "-i", "concat:" + parts.map((part) => part.path).join("|"), "-c", "copy", "-movflags", "+faststart", settings.output]);
  for (const part of parts) {
    job.addTask(part.task);
    join.addDependency(part.task);
  }
  job.addTask(join);
  return join;
}

// Contiguous runs of a chunk such as "1,2" or "1-3,7".
function runsOf(chunk) {
  const runs = [];
  for (const piece of chunk.split(",")) {
    const ends = piece.split("-").map(Number);
    const first = ends[0];
    const last = ends[ends.length - 1];
    const previous = runs[runs.length - 1];
    if (previous && previous.last + 1 === first) previous.last = last;
    else runs.push({ first, last });
  }
  return runs;
}

function videoArgs(settings) {
  const size = `${settings.width}:${settings.height}`;
  return [
    "-vf", `scale=${size}:force_original_aspect_ratio=decrease,pad=${size}:(ow-iw)/2:(oh-ih)/2,setsar=1`,
    "-r", String(settings.fps), "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", String(settings.crf), "-bf", "0"];
}

// Parts are transport streams with running time stamps: they join by concatenation alone.
function partArgs(offset) {
  return ["-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", offset.toFixed(6)];
}

function slateTask(settings) {
  const lines = String(settings.slate_text || path.stem(settings.output)).split("|");
  const font = settings.slate_font ? `fontfile='${escapeFilter(settings.slate_font)}':` : "";
  const texts = lines.map((line, index) =>
    `drawtext=${font}expansion=none:text='${escapeFilter(line.trim())}':fontcolor=white:fontsize=h/16:x=(w-tw)/2:y=h/3+${index}*h/12`);
  const source = `color=c=black:s=${settings.width}x${settings.height}:r=${settings.fps}`;
  return ffmpegTask("slate", settings, [
    "-f", "lavfi", "-i", source, "-frames:v", String(Math.round(settings.fps)), "-vf", texts.concat(["setsar=1"]).join(","),
    "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", String(settings.crf), "-bf", "0", ...partArgs(0),
    partPath(settings.output, "slate")]);
}

function escapeFilter(text) {
  return String(text).replace(/\\/g, "/").replace(/'/g, "\u2019").replace(/([:,])/g, "\\$1");
}

function partPath(output, part) {
  return path.join(path.dirname(output), `${path.stem(output)}.part-${part}.ts`);
}

function thumbnailPath(output) {
  return path.join(path.dirname(output), path.stem(output) + ".jpg");
}

function ffmpegTask(name, settings, args) {
  const task = author.Task(name, TASK_TYPE);
  const command = { exe: settings.ffmpeg, args: ["-hide_banner", "-nostdin", "-y"].concat(args) };
  task.addCommand(author.Command("exec", command));
  return task;
}
