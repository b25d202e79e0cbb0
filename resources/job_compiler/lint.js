/*
 * Findings about a job compiler script that need no run: what the Manager's engine refuses or reads differently than
 * V8, and what the Manager or a Worker would silently get wrong. Needs acorn; runs in a context of its own.
 */
(function (G) {
  "use strict";
  const PREFIX = '"use strict";';
  const REFUSED_FLAGS = /[sdv]/;
  const MISSING_GLOBALS = new Set(("console setTimeout setInterval setImmediate clearTimeout clearInterval queueMicrotask Intl BigInt "
    + "WeakRef FinalizationRegistry Atomics SharedArrayBuffer structuredClone TextEncoder TextDecoder URL URLSearchParams "
    + "fetch WebAssembly module exports window document global performance Buffer XMLHttpRequest crypto Temporal Iterator "
    + "BigInt64Array BigUint64Array Float16Array AsyncIterator").split(" "));
  const KNOWN_GLOBALS = new Set(("Object Function Array String globalThis NaN undefined Infinity isNaN parseInt parseFloat isFinite "
    + "decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape Number RegExp Date Boolean Proxy Reflect "
    + "Error AggregateError TypeError ReferenceError SyntaxError RangeError EvalError URIError eval Math JSON ArrayBuffer "
    + "DataView Uint8Array Uint8ClampedArray Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array "
    + "Float64Array Symbol WeakSet WeakMap Map Set Promise GoError author path process print alert frameChunker frameCount "
    + "formatTimestampLocal shellSplit require JOB_TYPE compileJob arguments this").split(" "));
  const MISSING_METHODS = new Set(("toSorted toReversed toSpliced isWellFormed toWellFormed captureStackTrace __defineGetter__ "
    + "__defineSetter__ __lookupGetter__ __lookupSetter__ anchor groupBy union intersection difference symmetricDifference "
    + "isSubsetOf isSupersetOf isDisjointFrom fromAsync withResolvers sumPrecise transferToFixedLength rawJSON").split(" "));
  const SILENT_METHODS = {
    toLocaleDateString: "always gives month/day/year in the Manager",
    toLocaleTimeString: "always gives 24-hour time in the Manager",
  };
  const SETTING_TYPES = ["string", "int32", "float", "bool"];
  const SUBTYPES = ["file_path", "dir_path", "file_name", "hashed_file_path"];
  const VISIBILITIES = ["visible", "hidden", "submission", "web"];

  function older(version, than) {
    const a = String(version || "3.8").split("."), b = than.split(".");
    for (let i = 0; i < 2; i += 1) {
      const x = parseInt(a[i], 10) || 0, y = parseInt(b[i], 10) || 0;
      if (x !== y) return x < y;
    }
    return false;
  }

  class Report {
    constructor(options) { this.options = options; this.list = []; this.syntax = null; this.seen = new Set(); }
    place(loc) {
      const first = loc.line === 1;
      return [loc.line, Math.max(1, loc.column + 1 - (first ? PREFIX.length : 0))];
    }
    add(severity, code, message, node) {
      const [line, column] = node ? this.place(node.loc.start) : [0, 0];
      const [endLine, endColumn] = node ? this.place(node.loc.end) : [0, 0];
      const key = code + line + ":" + column;
      if (this.seen.has(key) || this.list.length > 300) return;
      this.seen.add(key);
      this.list.push({ severity, code, message, line, column, end_line: endLine, end_column: endColumn });
    }
    /** A feature the Manager's engine refuses: the whole script is gone. */
    refuse(message, node, sinceUnknown) {
      const later = sinceUnknown && !older(this.options.version, "3.10");
      if (later) { this.add("warning", "engine-level", message + " (Managers up to 3.9 refuse it)", node); return; }
      this.add("error", "engine-syntax", message, node);
      if (this.syntax === null) {
        const [line, column] = this.place(node.loc.start);
        this.syntax = { message: "SyntaxError: " + message, line, column, hint: "" };
      }
    }
  }

  function parse(source, report) {
    const comments = [];
    const text = PREFIX + (source.startsWith("#!") ? "//" + source.slice(2) : source);
    const tree = acorn.parse(text, {
      ecmaVersion: 2022, sourceType: "script", locations: true, allowReturnOutsideFunction: false,
      onComment: (block, _text, start, _end, from, to) => { if (!block) comments.push({ start, loc: { start: from, end: to } }); },
    });
    for (const comment of comments) {
      if (text.startsWith("<!--", comment.start) || text.startsWith("-->", comment.start)) {
        report.refuse("HTML comments are not known to the Manager's engine", comment);
      }
    }
    return tree;
  }

  function walk(node, parents, visit) {
    visit(node, parents);
    parents.push(node);
    for (const key in node) {
      if (key === "loc" || key === "type" || key === "regex") continue;
      const child = node[key];
      if (Array.isArray(child)) { for (const item of child) if (item && typeof item.type === "string") walk(item, parents, visit); }
      else if (child && typeof child.type === "string") walk(child, parents, visit);
    }
    parents.pop();
  }

  function patternNames(pattern, out) {
    if (!pattern) return;
    switch (pattern.type) {
      case "Identifier": out.add(pattern.name); break;
      case "ObjectPattern": for (const p of pattern.properties) patternNames(p.type === "RestElement" ? p.argument : p.value, out); break;
      case "ArrayPattern": for (const p of pattern.elements) patternNames(p, out); break;
      case "AssignmentPattern": patternNames(pattern.left, out); break;
      case "RestElement": patternNames(pattern.argument, out); break;
    }
  }
  function declaredNames(tree) {
    const names = new Set();
    walk(tree, [], (node) => {
      if (node.type === "VariableDeclarator") patternNames(node.id, names);
      else if (/Function/.test(node.type)) { if (node.id) names.add(node.id.name); for (const p of node.params) patternNames(p, names); }
      else if (/^Class/.test(node.type) && node.id) names.add(node.id.name);
      else if (node.type === "CatchClause") patternNames(node.param, names);
    });
    return names;
  }
  const isReference = (node, parent) => {
    if (!parent) return true;
    if ((parent.type === "MemberExpression") && parent.property === node && !parent.computed) return false;
    if ((parent.type === "Property" || parent.type === "MethodDefinition" || parent.type === "PropertyDefinition") && parent.key === node && !parent.computed && !parent.shorthand) return false;
    if (/^(Labeled|Break|Continue)Statement$/.test(parent.type)) return false;
    if (parent.type === "MetaProperty") return false;
    return true;
  };
  const literal = (node) => (node && node.type === "Literal" ? node.value : node && node.type === "UnaryExpression" && node.operator === "-" && node.argument.type === "Literal" ? -node.argument.value : undefined);
  const memberName = (node) => (node.type !== "MemberExpression" ? null : !node.computed ? node.property.name : typeof literal(node.property) === "string" ? literal(node.property) : null);
  const isMember = (node, object, property) => node && node.type === "MemberExpression" && node.object.type === "Identifier" && node.object.name === object && memberName(node) === property;
  const keyOf = (p) => (p.type !== "Property" || p.computed ? null : p.key.type === "Identifier" ? p.key.name : String(p.key.value));
  const propertyOf = (object, name) => { for (const p of object.properties) if (keyOf(p) === name) return p.value; return null; };

  // -------------------------------------------------------------------------------- the engine
  function checkEngine(node, parents, report) {
    const parent = parents[parents.length - 1];
    switch (node.type) {
      case "AssignmentExpression":
        if (node.operator === "||=" || node.operator === "&&=" || node.operator === "??=") report.refuse(`the logical assignment ${node.operator} is not known to the Manager's engine; write it out`, node);
        break;
      case "Literal":
        if (node.bigint !== undefined && node.bigint !== null) report.refuse("BigInt literals are not known to the Manager's engine", node, true);
        else if (typeof node.value === "number" && node.raw.includes("_")) report.refuse("numeric separators (1_000) are not known to the Manager's engine", node, true);
        if (node.regex) checkRegex(node, report);
        break;
      case "ImportExpression": report.refuse("dynamic import is not known to the Manager's engine; use require()", node); break;
      case "MetaProperty": if (node.meta.name === "import") report.refuse("import.meta is not known to the Manager's engine", node); break;
      case "ForOfStatement": if (node.await) report.refuse("for await is not known to the Manager's engine", node); break;
      case "FunctionDeclaration": case "FunctionExpression":
        if (node.async && node.generator) report.refuse("async generators are not known to the Manager's engine", node);
        break;
      case "NewExpression":
        if (node.callee.type === "Identifier" && node.callee.name === "RegExp" && typeof literal(node.arguments[1]) === "string" && REFUSED_FLAGS.test(literal(node.arguments[1]))) {
          report.add("error", "engine-regex", `the Manager's engine refuses the regular expression flags "${literal(node.arguments[1])}"`, node);
        }
        if (node.callee.type === "Identifier" && /Error$/.test(node.callee.name) && node.arguments[1] && node.arguments[1].type === "ObjectExpression" && propertyOf(node.arguments[1], "cause")) {
          report.add("warning", "engine-silent", "the Manager's engine ignores an error's cause", node.arguments[1]);
        }
        break;
      case "MemberExpression": checkMember(node, parent, report); break;
    }
  }
  function checkRegex(node, report) {
    const { pattern, flags } = node.regex;
    if (REFUSED_FLAGS.test(flags)) report.refuse(`the regular expression flag in /${flags} is not known to the Manager's engine`, node);
    if (/\(\?<[A-Za-z_$]/.test(pattern)) report.add("warning", "engine-silent", "named groups match but .groups is undefined in the Manager; use numbered groups", node);
    if (/\\[pP]\{/.test(pattern) && flags.includes("u")) report.add("warning", "engine-silent", "\\p{...} never matches in the Manager", node);
  }
  function checkMember(node, parent, report) {
    const name = memberName(node);
    if (name === null) return;
    const called = parent && parent.type === "CallExpression" && parent.callee === node;
    if (MISSING_METHODS.has(name) && (called || /^__/.test(name))) report.add("error", "missing-method", `${name}() does not exist in the Manager's engine`, node.property);
    if (name === "with" && called && parent.arguments.length === 2) report.add("error", "missing-method", "Array.prototype.with() does not exist in the Manager's engine", node.property);
    if (called && SILENT_METHODS[name]) report.add("warning", "engine-silent", `${name}() ${SILENT_METHODS[name]}`, node.property);
    if (node.object.type === "Identifier" && node.object.name === "RegExp" && /^\$\d$/.test(name)) report.add("warning", "engine-silent", `RegExp.${name} is undefined in the Manager`, node);
  }

  // -------------------------------------------------------------------------------- JOB_TYPE
  function topLevel(tree, name) {
    for (const statement of tree.body) {
      if (statement.type === "FunctionDeclaration" && statement.id.name === name) return statement;
      if (statement.type === "ClassDeclaration" && statement.id.name === name) return statement;
      if (statement.type === "VariableDeclaration") for (const d of statement.declarations) if (d.id.type === "Identifier" && d.id.name === name) return d.init || d;
      if (statement.type === "ExpressionStatement" && statement.expression.type === "AssignmentExpression") {
        const left = statement.expression.left;
        if ((left.type === "Identifier" && left.name === name) || isMember(left, "globalThis", name)) return statement.expression.right;
      }
    }
    return null;
  }
  function checkJobType(tree, report) {
    const node = topLevel(tree, "JOB_TYPE");
    if (node === null) { report.add("error", "no-job-type", "the script declares no JOB_TYPE: the Manager leaves it out of the list"); return null; }
    if (node.type !== "ObjectExpression") return null;
    for (const p of node.properties) {
      const key = keyOf(p);
      if (key !== null && !["label", "description", "settings"].includes(key)) report.add("info", "job-type-key", `the Manager ignores JOB_TYPE.${key}`, p);
    }
    const settings = propertyOf(node, "settings");
    if (settings === null || settings.type !== "ArrayExpression") return null;
    const keys = new Map();
    let complete = true;
    for (const element of settings.elements) {
      if (!element || element.type !== "ObjectExpression") { complete = false; continue; }
      if (element.properties.some((p) => p.type !== "Property")) complete = false;
      const key = literal(propertyOf(element, "key"));
      if (typeof key !== "string") {
        const spread = element.properties.some((p) => keyOf(p) === null);
        if (propertyOf(element, "key") === null && !spread) report.add("warning", "setting-key-missing", "this setting has no key: no script can read it", element);
        complete = false;
        continue;
      }
      if (keys.has(key)) report.add("warning", "setting-twice", `the setting "${key}" is declared twice`, element);
      keys.set(key, element);
      checkSetting(element, key, report);
    }
    return { keys, complete };
  }
  function oneOf(element, field, allowed, key, report) {
    const node = propertyOf(element, field);
    const value = literal(node);
    if (typeof value === "string" && !allowed.includes(value)) {
      report.add("warning", "setting-" + field, `the setting "${key}" has ${field}: "${value}"; the Manager takes it, but the Blender add-on only knows ${allowed.join(", ")}`, node);
    }
    return value;
  }
  const SHAPES = [["choices", "a list"], ["propargs", "an object"], ["evalInfo", "an object"]];
  /** What keeps the Manager from reading the whole JOB_TYPE; its own message names no place. */
  function checkShapes(element, key, report) {
    for (const [field, wanted] of SHAPES) {
      const node = propertyOf(element, field);
      if (typeof literal(node) === "string") report.add("error", "setting-shape", `${field} of the setting "${key}" must be ${wanted}: the Manager refuses the whole job type`, node);
    }
    const given = propertyOf(element, "default");
    const number = given && given.type === "UnaryExpression" ? given.argument : given;
    if (number && ((number.type === "Identifier" && (number.name === "NaN" || number.name === "Infinity")) || /FunctionExpression$/.test(number.type))) {
      report.add("error", "setting-shape", `the default of the setting "${key}" cannot be written as JSON: the Manager refuses the whole job type`, given);
    }
  }
  function checkSetting(element, key, report) {
    const type = oneOf(element, "type", SETTING_TYPES, key, report);
    if (propertyOf(element, "type") === null) report.add("warning", "setting-type", `the setting "${key}" has no type`, element);
    oneOf(element, "subtype", SUBTYPES, key, report);
    oneOf(element, "visible", VISIBILITIES, key, report);
    checkShapes(element, key, report);
    const choices = propertyOf(element, "choices");
    const value = literal(propertyOf(element, "default"));
    if (choices && choices.type === "ArrayExpression") {
      if (type !== undefined && type !== "string") report.add("warning", "setting-choices", `the Blender add-on ignores choices of the ${type} setting "${key}"`, choices);
      const allowed = choices.elements.map(literal);
      if (value !== undefined && !allowed.includes(undefined) && !allowed.includes(value)) report.add("warning", "setting-default", `the default of "${key}" is not among its choices`, propertyOf(element, "default"));
    }
    if (value !== undefined && ((type === "int32" && !Number.isInteger(value)) || (type === "float" && typeof value !== "number") || (type === "bool" && typeof value !== "boolean"))) {
      report.add("warning", "setting-default", `the default of "${key}" does not fit its type ${type}`, propertyOf(element, "default"));
    }
    for (const p of element.properties) {
      const name = keyOf(p);
      if (name !== null && !["key", "type", "subtype", "choices", "propargs", "description", "label", "default", "eval", "evalInfo", "visible", "required", "editable"].includes(name)) {
        report.add("info", "setting-key", `the Manager ignores "${name}" of a setting`, p);
      }
    }
    if (propertyOf(element, "label") && older(report.options.version, "3.6")) report.add("info", "needs-newer-manager", "labels of settings need Manager 3.6", propertyOf(element, "label"));
  }

  // -------------------------------------------------------------------------------- compileJob and the job API
  function checkCompileJob(tree, report) {
    const node = topLevel(tree, "compileJob");
    if (node === null) { report.add("error", "no-compile-job", "the script declares no compileJob(job): no job of this type can be submitted"); return; }
    if (node.async) report.add("error", "async-compile-job", "compileJob is async: errors after the first await are silently ignored and the job is accepted without the rest of its tasks", node);
    if (node.generator) report.add("error", "generator-compile-job", "compileJob is a generator: the Manager never runs its body and the job has no tasks", node);
    if (/^Class/.test(node.type)) report.add("error", "class-compile-job", "compileJob is a class; the Manager cannot call it", node);
  }
  /** Names that stand for job.settings. */
  function settingsAliases(tree, jobNames) {
    const aliases = new Set();
    const isSettings = (node) => node && node.type === "MemberExpression" && node.object.type === "Identifier" && jobNames.has(node.object.name) && memberName(node) === "settings";
    walk(tree, [], (node) => {
      if (node.type === "VariableDeclarator" && node.id.type === "Identifier" && isSettings(node.init)) aliases.add(node.id.name);
      if (node.type === "VariableDeclarator" && node.id.type === "ObjectPattern" && node.init && node.init.type === "Identifier" && jobNames.has(node.init.name)) {
        for (const p of node.id.properties) if (keyOf(p) === "settings" && p.value.type === "Identifier") aliases.add(p.value.name);
      }
    });
    return { aliases, isSettings: (node) => isSettings(node) || (node && node.type === "Identifier" && aliases.has(node.name)) };
  }
  function checkSettings(tree, declared, report) {
    const compileJob = topLevel(tree, "compileJob");
    const jobNames = new Set(["job"]);
    if (compileJob && compileJob.params && compileJob.params[0] && compileJob.params[0].type === "Identifier") jobNames.add(compileJob.params[0].name);
    const { isSettings } = settingsAliases(tree, jobNames);
    const written = new Set(), reads = [], used = new Set();
    let opaque = false;
    walk(tree, [], (node, parents) => {
      const parent = parents[parents.length - 1];
      if (node.type === "VariableDeclarator" && node.id.type === "ObjectPattern" && isSettings(node.init)) {
        for (const p of node.id.properties) { const key = p.type === "Property" ? keyOf(p) : null; if (key === null) opaque = true; else reads.push([key, p]); }
      }
      if (node.type !== "MemberExpression" || !isSettings(node.object)) return;
      const key = memberName(node);
      if (key === null) { opaque = true; return; }
      if (parent && parent.type === "AssignmentExpression" && parent.left === node) { written.add(key); if (parent.operator !== "=") reads.push([key, node]); }
      else reads.push([key, node]);
    });
    for (const [key, node] of reads) {
      used.add(key);
      if (!declared.keys.has(key) && !written.has(key) && declared.complete && !(key in Object.prototype)) {
        report.add("warning", "unknown-setting", `the setting "${key}" is read but not declared in JOB_TYPE: it is undefined unless somebody sends it${nearest(key, declared.keys)}`, node);
      }
    }
    report.settings = { declared: [...declared.keys.keys()], opaque };
  }
  function nearest(key, keys) {
    let best = null, bestDistance = 3;
    for (const candidate of keys.keys()) { const d = distance(key, candidate); if (d < bestDistance) { best = candidate; bestDistance = d; } }
    return best === null ? "" : ` (did you mean "${best}"?)`;
  }
  function distance(a, b) {
    const row = Array.from({ length: b.length + 1 }, (_v, i) => i);
    for (let i = 1; i <= a.length; i += 1) {
      let previous = row[0];
      row[0] = i;
      for (let j = 1; j <= b.length; j += 1) { const keep = row[j]; row[j] = Math.min(row[j] + 1, row[j - 1] + 1, previous + (a[i - 1] === b[j - 1] ? 0 : 1)); previous = keep; }
    }
    return row[b.length];
  }
  function checkCall(node, report) {
    if (node.type !== "CallExpression") return;
    const { version } = report.options;
    const callee = node.callee;
    if (callee.type === "Identifier") {
      if (callee.name === "frameChunker" && node.arguments.length === 1) report.add("error", "frame-chunker-size", "frameChunker needs a chunk size; a missing one is an error in the Manager", node);
      if (callee.name === "frameCount" && older(version, "3.8")) report.add("error", "needs-newer-manager", "frameCount() needs Manager 3.8", callee);
      if (callee.name === "shellSplit" && older(version, "3.6")) report.add("error", "needs-newer-manager", "shellSplit() needs Manager 3.6", callee);
      if (callee.name === "require" && typeof literal(node.arguments[0]) === "string") {
        const name = literal(node.arguments[0]);
        report.requires.push({ name, line: report.place(node.loc.start)[0], column: report.place(node.loc.start)[1] });
        if (name.startsWith("../") || name.startsWith("/")) report.add("error", "require-outside", `require("${name}") leaves the scripts folder; the Manager refuses it`, node);
        else if (name.startsWith(".")) report.add("info", "helper-restart", `the Manager keeps "${name}" in memory: after a change of that helper it must be restarted`, node);
      }
      return;
    }
    if (isMember(callee, "author", "Task")) {
      const type = literal(node.arguments[1]);
      if (typeof type === "string") report.taskTypes.push({ type, line: report.place(node.loc.start)[0], column: report.place(node.loc.start)[1] });
      if (node.arguments.length < 2) report.add("error", "task-type-missing", "author.Task(name, type) needs both", node);
      report.calls.push({ name: "Task", line: report.place(node.loc.start)[0], column: report.place(node.loc.start)[1] });
    }
    if (isMember(callee, "author", "Command")) {
      const name = literal(node.arguments[0]);
      const at = report.place(node.loc.start);
      if (typeof name === "string") report.commands.push(commandCall(name, node, at));
      if (node.arguments.length > 2 && older(version, "3.8")) report.add("info", "needs-newer-manager", "the step count of a command needs Manager 3.8", node.arguments[2]);
    }
    if (callee.type === "MemberExpression" && ["addTask", "addDependency", "addCommand"].includes(memberName(callee))) {
      report.calls.push({ name: memberName(callee), line: report.place(callee.property.loc.start)[0], column: report.place(callee.property.loc.start)[1] });
    }
  }
  function commandCall(name, node, at) {
    const call = { name, line: at[0], column: at[1], parameters: null };
    const object = node.arguments[1];
    if (node.arguments.length === 1) call.parameters = {};
    if (object && object.type === "ObjectExpression" && object.properties.every((p) => p.type === "Property" && keyOf(p) !== null)) {
      call.parameters = {};
      for (const p of object.properties) {
        const value = p.value;
        const kind = value.type === "Literal" ? (value.value === null ? "null" : typeof value.value) : value.type === "ArrayExpression" ? "list" : value.type === "ObjectExpression" ? "object" : value.type === "TemplateLiteral" ? "string" : "unknown";
        call.parameters[keyOf(p)] = kind;
      }
    }
    return call;
  }
  function checkNames(tree, report) {
    const declared = declaredNames(tree);
    walk(tree, [], (node, parents) => {
      if (node.type !== "Identifier" || declared.has(node.name)) return;
      const parent = parents[parents.length - 1];
      if (!isReference(node, parent)) return;
      const guarded = parent && parent.type === "UnaryExpression" && parent.operator === "typeof";
      if (guarded) return;
      if (MISSING_GLOBALS.has(node.name)) report.add("error", "missing-global", `${node.name} does not exist in the Manager`, node);
      else if (!KNOWN_GLOBALS.has(node.name)) report.add("warning", "undeclared-name", `${node.name} is not declared: a ReferenceError in the Manager`, node);
    });
  }

  function analyse(source, options) {
    const report = new Report(options || {});
    Object.assign(report, { requires: [], taskTypes: [], commands: [], calls: [], settings: null });
    let tree;
    try { tree = parse(source, report); } catch (e) {
      if (!(e instanceof SyntaxError) || !e.loc) return JSON.stringify({ syntax: null, findings: [], failed: String(e) });
      const [line, column] = report.place(e.loc);
      const message = "SyntaxError: " + e.message.replace(/ \(\d+:\d+\)$/, "");
      const syntax = { message, line, column, hint: "" };
      const finding = { severity: "error", code: "syntax", message, line, column, end_line: line, end_column: column + 1 };
      return JSON.stringify({ syntax, findings: [...report.list, finding] });
    }
    try {
      walk(tree, [], (node, parents) => { checkEngine(node, parents, report); checkCall(node, report); });
      if (!report.options.script) {
        checkNames(tree, report);
        const declared = checkJobType(tree, report);
        checkCompileJob(tree, report);
        if (declared !== null) checkSettings(tree, declared, report);
      }
    } catch (e) {
      if (!(e instanceof RangeError)) throw e;
      return JSON.stringify({ syntax: report.syntax, findings: report.list, failed: "nested too deeply to be checked" });
    }
    const { syntax, requires, taskTypes, commands, calls, settings } = report;
    return JSON.stringify({ syntax, findings: report.list, requires, task_types: taskTypes, commands, calls, settings });
  }
  G.signalboxLint = { analyse };
})(globalThis);
