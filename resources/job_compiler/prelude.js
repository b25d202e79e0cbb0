/*
 * The world a Flamenco job compiler script sees, rebuilt for V8.
 *
 * The Manager runs scripts in a JavaScript engine written in Go and hands them Go values behind thin wrappers. What a
 * script can tell from the outside is reproduced here: which globals and methods exist, how values are coerced when
 * they cross into Go, which objects are copies and which are views, the text of errors the Go side throws.
 *
 * Storage of Go values:
 *   map[string]any   an object without prototype        []any      a plain array (never shared with scripts)
 *   struct           a record with a numeric `k`        anything else  a record with `k` (functions, bytes, times)
 * Scripts only ever hold proxies over these. The file evaluates to a function that installs the world and returns the
 * control object; it captures every intrinsic first because scripts may tamper with all of them.
 */
(function (G) {
  "use strict";

  // ------------------------------------------------------------------ intrinsics, before anybody can touch them
  const { Object, Array, String, Number, Boolean, Function, Math, JSON, Map, Set, WeakMap, WeakSet, Symbol, Reflect } = G;
  const { TypeError, RangeError, Error, RegExp, Uint8Array, Uint32Array } = G;
  const RealDate = G.Date;
  const RealProxy = G.Proxy;
  const RealSymbol = G.Symbol;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const ObjProto = Object.prototype;
  const ArrProto = Array.prototype;
  const { defineProperty, getPrototypeOf: protoOf, getOwnPropertyDescriptor: ownDesc, keys: objectKeys } = Object;
  const { ownKeys, get: reflectGet, construct, deleteProperty } = Reflect;
  const isArray = Array.isArray;
  const stringify = JSON.stringify;
  const parseJson = JSON.parse;
  const isFiniteNumber = Number.isFinite;
  const { floor, trunc, random, abs, fround } = Math;
  const hasOwn = Object.hasOwn;
  const mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set), mapHas = uncurry(Map.prototype.has);
  const mapForEach = uncurry(Map.prototype.forEach), setForEach = uncurry(Set.prototype.forEach);
  const setAdd = uncurry(Set.prototype.add), setHas = uncurry(Set.prototype.has);
  const weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
  const weakHas = uncurry(WeakSet.prototype.has), weakAdd = uncurry(WeakSet.prototype.add);
  const slice = uncurry(ArrProto.slice), sort = uncurry(ArrProto.sort), join = uncurry(ArrProto.join);
  const split = uncurry(String.prototype.split), indexOf = uncurry(String.prototype.indexOf);
  const lastIndexOf = uncurry(String.prototype.lastIndexOf), substring = uncurry(String.prototype.substring);
  const charCode = uncurry(String.prototype.charCodeAt), codePoint = uncurry(String.prototype.codePointAt);
  const toWellFormed = uncurry(String.prototype.toWellFormed), isWellFormed = uncurry(String.prototype.isWellFormed);
  const startsWith = uncurry(String.prototype.startsWith), padStart = uncurry(String.prototype.padStart);
  const replaceAll = uncurry(String.prototype.replaceAll), toLower = uncurry(String.prototype.toLowerCase);
  const numToString = uncurry(Number.prototype.toString), toPrecision = uncurry(Number.prototype.toPrecision);
  const exec = uncurry(RegExp.prototype.exec);
  const dateTime = uncurry(RealDate.prototype.getTime);
  const boolValue = uncurry(Boolean.prototype.valueOf), numberValue = uncurry(Number.prototype.valueOf);
  const symbolDescription = uncurry(ownDesc(RealSymbol.prototype, "description").get);
  const TypedArray = protoOf(Uint8Array);
  const typedTag = uncurry(ownDesc(TypedArray.prototype, RealSymbol.toStringTag).get);
  const typedLength = uncurry(ownDesc(TypedArray.prototype, "length").get);
  const mapSize = uncurry(ownDesc(Map.prototype, "size").get), setSize = uncurry(ownDesc(Set.prototype, "size").get);
  const MAX_INT64 = 9223372036854775807n;
  const BigIntOf = G.BigInt, bigToString = uncurry(G.BigInt.prototype.toString);
  const hrNow = G.performance ? G.performance.now.bind(G.performance) : RealDate.now;

  let config = null;            // what begin() was given
  let tainted = false;          // a value that native JSON would misprint went into storage
  let hang = null;              // why the Manager would hang: wins over whatever the script does next
  let tooDeep = false;          // nested beyond what the serialiser can follow
  const prints = [];
  let printedChars = 0;
  const events = [];            // observations for lint: {code, data, stack}
  const eventKeys = new Map();

  const push = (array, value) => { array[array.length] = value; };

  function notice(code, key, data) {
    const name = code + "\u0000" + key;
    if (mapHas(eventKeys, name) || events.length >= 200) return;
    mapSet(eventKeys, name, true);
    data.code = code;
    data.stack = stackText();
    push(events, data);
  }

  function stackText() {
    const text = new Error("").stack;
    return typeof text === "string" ? text : "";
  }

  // ------------------------------------------------------------------ records: Go structs and other Go values
  const TASK = 1, COMMAND = 2, JOB = 3, STORAGE = 4, TIME = 5, GO_FUNC = 6, BYTES = 7, NIL_SLICE = 8, FLOAT32 = 9;
  const MAP_PAIRS = 10, OPAQUE = 11, LOCATION = 12, GO_INT = 13, GO_ERROR = 14, TYPED_SLICE = 15;

  // What is behind a proxy that a script holds: its traps answer to this key. A WeakMap would cost a third of the time.
  const BEHIND = RealSymbol("behind");
  const proxyOfMap = new WeakMap();  // map storage -> its one proxy
  const userProxies = new WeakSet(); // proxies the script made: Go sees an opaque value in them
  let userProxyMade = false;
  /** Record, map or Slice behind a proxy of ours; undefined for anything else. `v` is an object. */
  function behind(v) {
    return userProxyMade && weakHas(userProxies, v) ? undefined : v[BEHIND];
  }
  const goFunctions = new WeakMap(); // function -> its Go type, for the text of store errors

  /** A Go slice header: backing array, length, capacity. Copies share the backing array as in Go. */
  class Slice {
    constructor(a, n, c, elem) { this.k = TYPED_SLICE; this.a = a; this.n = n; this.c = c; this.elem = elem; this.p = null; }
    copyHeader() { return new Slice(this.a, this.n, this.c, this.elem); }
    grow(size) {
      if (size > this.c) {
        let cap = this.c < 256 ? this.c * 2 : this.c + trunc((this.c + 768) / 4);
        if (cap < size) cap = size;
        const fresh = slice(this.a, 0, this.n);
        this.a = fresh;
        this.c = cap;
      }
      const zero = ZERO[this.elem];
      while (this.n < size) { this.a[this.n] = zero(); this.n += 1; }
    }
    append(value) {
      if (this.n >= this.c) {
        const cap = this.c === 0 ? 1 : this.c < 256 ? this.c * 2 : this.c + trunc((this.c + 768) / 4);
        this.a = slice(this.a, 0, this.n);
        this.c = cap;
      }
      this.a[this.n] = value;
      this.n += 1;
    }
    shrink(size) {
      const zero = ZERO[this.elem];
      for (let i = size; i < this.n; i += 1) this.a[i] = zero();
      this.n = size;
    }
  }

  const ZERO = {
    any: () => null,
    string: () => "",
    number: () => 0,
    command: () => newCommand("", null, 0),
    task: () => newTask("", "", "", 0),
    pointer: () => null,
  };
  const CONVERT = {
    any: (v) => exportValue(v, null),
    string: (v) => toGoString(v),
    number: (v) => toGoInt(v),
    command: (v) => toCommandStruct(v),
    task: (v) => toTaskStruct(v),
    pointer: (v) => toTaskPointer(v),
  };
  const GO_TYPE = {
    any: "[]interface {}", string: "[]string", number: "[]uint8", command: "[]job_compilers.AuthoredCommand",
    task: "[]job_compilers.AuthoredTask", pointer: "[]*job_compilers.AuthoredTask",
  };

  // A task's identity is a serial number until a script looks at uUID or sets it.
  const uuidPrefix = makeUuidPrefix();
  let serial = 0;

  function hex(digits) { return padStart(numToString(floor(random() * 16 ** digits), 16), digits, "0"); }
  function makeUuidPrefix() { return hex(8) + "-" + hex(4) + "-4" + hex(3) + "-" + numToString(8 + floor(random() * 4), 16) + hex(3) + "-"; }
  function uuidText(id) {
    return typeof id === "number" ? uuidPrefix + padStart(numToString((id * 2654435761) % 281474976710656, 16), 12, "0") : id;
  }

  function newTask(id, name, type, priority) {
    return { k: TASK, id, name, type, priority, commands: new Slice([], 0, 0, "command"),
      dependencies: new Slice([], 0, 0, "pointer"), added: false, p: null, nilLists: false, at: "" };
  }
  function copyTask(t) {
    const c = { k: TASK, id: t.id, name: t.name, type: t.type, priority: t.priority, commands: t.commands.copyHeader(),
      dependencies: t.dependencies.copyHeader(), added: false, p: null, nilLists: t.nilLists, at: t.at };
    return c;
  }
  function newCommand(name, parameters, steps) {
    return { k: COMMAND, name, parameters, totalStepCount: steps, p: null, at: "" };
  }
  function copyCommand(c) {
    return { k: COMMAND, name: c.name, parameters: c.parameters, totalStepCount: c.totalStepCount, p: null, at: c.at };
  }

  // ------------------------------------------------------------------ errors the Go side throws
  class GoError extends Error {
    constructor(message) {
      super(message);
      defineProperty(this, "value", { value: proxyError(this), writable: true, enumerable: true, configurable: true });
    }
  }
  defineProperty(GoError.prototype, "name", { value: "GoError", writable: true, enumerable: false, configurable: true });

  function proxyError(source) {
    return plainGoError(source.message);
  }
  let plainStack = "";             // where the last of these was thrown: they carry no stack themselves
  /** An error of Go thrown as it is: an object that turns into its text, with one method. */
  function plainGoError(text) {
    const object = { error: () => text };
    const show = () => text;
    defineProperty(object, "toString", { value: show, writable: true, configurable: true });
    defineProperty(object, "valueOf", { value: show, writable: true, configurable: true });
    defineProperty(object, BEHIND, { value: { k: GO_ERROR, text } });
    return object;
  }
  class GoPanic extends Error {}
  const NIL_POINTER = "runtime.errorString: runtime error: invalid memory address or nil pointer dereference";
  let panicText = "";
  function goPanic(text) {
    panicText = panicText || text;
    throw new GoPanic("Go panic: " + text);
  }
  function wouldHang(reason) {
    hang = hang || reason;
    throw new RangeError("the Manager would hang here: " + reason);
  }

  // ------------------------------------------------------------------ coercions of values that cross into Go
  const wellFormed = (s) => (isWellFormed(s) ? s : toWellFormed(s));

  function valueText(v) {
    if (typeof v === "symbol") return symbolDescription(v) ?? "";
    return wellFormed(String(v));
  }
  function toGoString(v) {
    if (typeof v === "string") return wellFormed(v);
    if (v === undefined || v === null) return "";
    return valueText(v);
  }
  function toGoInt(v) {
    if (typeof v !== "number") {
      if (v === undefined || v === null) return 0;
      v = +v;
    }
    if (!isFiniteNumber(v)) return 0;
    const n = trunc(v);
    if (n >= 9223372036854775808 || n < -9223372036854775808) return -9223372036854775808;
    return n + 0;
  }
  const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";

  /** The deep copy a value becomes when it crosses into Go as `any`. `seen` keeps shared objects shared. */
  function exportValue(v, seen) {
    switch (typeof v) {
      case "string": return isWellFormed(v) ? v : toWellFormed(v);
      case "number":
        if (!isFiniteNumber(v)) tainted = true;
        return v;
      case "boolean": return v;
      case "undefined": return null;
      case "symbol": return symbolDescription(v) ?? "";
      case "bigint": return Number(v);
      case "function": {
        tainted = true;
        return { k: GO_FUNC, f: v, type: weakGet(goFunctions, v) || "func(goja.FunctionCall) goja.Value" };
      }
    }
    if (v === null) return null;
    return exportObject(v, seen);
  }

  function exportObject(v, seen) {
    const record = behind(v);
    if (record !== undefined) return exportRecord(record);
    if (weakHas(userProxies, v)) { return emptyMap(); }
    if (seen === null) seen = new Map();
    const known = mapGet(seen, v);
    if (known !== undefined) { tainted = true; return known; }
    if (isArray(v)) {
      const length = v.length;
      const out = [];
      mapSet(seen, v, out);
      for (let i = 0; i < length; i += 1) out[i] = exportValue(v[i], seen);
      return out;
    }
    const proto = protoOf(v);
    if (proto === ObjProto || proto === null) return exportPlain(v, seen);
    return exportExotic(v, seen);
  }

  function emptyMap() { return { __proto__: null }; }

  function exportPlain(v, seen) {
    if (isArguments(v)) return exportKeys(v, seen);
    return exportKeys(v, seen);
  }
  const isArguments = () => false;

  function exportKeys(v, seen) {
    const out = { __proto__: null };
    mapSet(seen, v, out);
    const keys = objectKeys(v);
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i];
      out[isWellFormed(key) ? key : toWellFormed(key)] = exportValue(v[key], seen);
    }
    return out;
  }

  const attempt = (f, v) => { try { return f(v); } catch { return undefined; } };

  /** Objects with a class of their own: what Go makes of each. */
  function exportExotic(v, seen) {
    const time = attempt(dateTime, v);
    if (time !== undefined) {
      if (time !== time) return null;
      tainted = true;
      return timeFromMs(time, localZone);
    }
    const tag = typedTag(v);
    if (tag !== undefined) return exportTyped(v, tag);
    if (attempt(mapSize, v) !== undefined) {
      const out = [];
      mapSet(seen, v, out);
      mapForEach(v, (value, key) => { push(out, [exportValue(key, seen), exportValue(value, seen)]); });
      return out;
    }
    if (attempt(setSize, v) !== undefined) {
      const out = [];
      mapSet(seen, v, out);
      setForEach(v, (value) => { push(out, exportValue(value, seen)); });
      return out;
    }
    const flag = attempt(boolValue, v);
    if (flag !== undefined) return flag;
    const number = attempt(numberValue, v);
    if (number !== undefined) { if (!isFiniteNumber(number)) tainted = true; return number; }
    if (v instanceof String) return emptyMap();
    return exportKeys(v, seen);
  }

  function exportTyped(v, tag) {
    const length = typedLength(v);
    if (tag === "Uint8Array" || tag === "Uint8ClampedArray") {
      const bytes = [];
      for (let i = 0; i < length; i += 1) bytes[i] = v[i];
      tainted = true;
      return { k: BYTES, bytes };
    }
    const out = [];
    const single = tag === "Float32Array";
    for (let i = 0; i < length; i += 1) {
      const n = v[i];
      if (typeof n === "number" && !isFiniteNumber(n)) tainted = true;
      out[i] = single ? shortestFloat32(n) : Number(n);
    }
    return out;
  }
  function shortestFloat32(n) {
    if (!isFiniteNumber(n)) return n;
    for (let digits = 1; digits < 10; digits += 1) {
      const candidate = +toPrecision(n, digits);
      if (fround(candidate) === n) return candidate;
    }
    return n;
  }

  function exportRecord(record) {
    if (protoOf(record) === null) return record;                // a map: shared, as in Go
    if (record.k === TYPED_SLICE) {
      if (record.elem === "any") return record.n === record.a.length ? record.a : slice(record.a, 0, record.n);
      if (record.elem === "string") return slice(record.a, 0, record.n);
      if (record.elem === "number") { tainted = true; return { k: BYTES, bytes: slice(record.a, 0, record.n) }; }
      tainted = true;
      return record.copyHeader();
    }
    if (record.k === GO_INT) return record.value;
    tainted = true;
    return record;
  }

  /** The Go value behind anything, as the script sees it. */
  function wrap(v) {
    if (typeof v !== "object" || v === null) return v;
    if (isArray(v)) return sliceProxy(new Slice(v, v.length, v.length, "any"));
    if (protoOf(v) === null) return mapProxy(v);
    switch (v.k) {
      case TASK: return taskProxy(v);
      case COMMAND: return commandProxy(v);
      case TIME: return timeProxy(v);
      case GO_FUNC: return v.f;
      case BYTES: return sliceProxy(new Slice(v.bytes, v.bytes.length, v.bytes.length, "number"));
      case TYPED_SLICE: return v.p || sliceProxy(v);
      case JOB: return jobProxy;
      case STORAGE: return storageProxy(v);
      default: return v.p || null;
    }
  }

  // ------------------------------------------------------------------ proxies: maps
  const noAccessor = (name, desc) => {
    if (desc.get || desc.set) throw new TypeError("Host objects do not support accessor properties");
    if (desc.writable === false) throw new TypeError(`Host object field ${name} cannot be made read-only`);
    if (desc.configurable === true) throw new TypeError(`Host object field ${name} cannot be made configurable`);
  };

  const frozen = (name) => { throw new TypeError(`Host object field ${name} cannot be made read-only`); };
  function sortedKeys(m) { return sort(ownKeys(m)); }

  const mapTraps = {
    get(m, key) {
      if (typeof key === "string" && hasOwn(m, key)) return wrap(m[key]);
      if (key === BEHIND) return m;
      return reflectGet(ObjProto, key, weakGet(proxyOfMap, m));
    },
    set(m, key, value) {
      if (typeof key === "symbol") throw new TypeError("Cannot set Symbol properties on Go maps");
      if (isObject(value) && behind(value) !== undefined) tainted = true;   // may close a cycle
      m[wellFormed(key)] = exportValue(value, null);
      return true;
    },
    has(m, key) { return (typeof key === "string" && hasOwn(m, key)) || key in ObjProto; },
    deleteProperty(m, key) { if (typeof key === "string") delete m[key]; return true; },
    ownKeys(m) { return sortedKeys(m); },
    getOwnPropertyDescriptor(m, key) {
      if (typeof key !== "string" || !hasOwn(m, key)) return undefined;
      return { value: wrap(m[key]), writable: true, enumerable: true, configurable: true };
    },
    defineProperty(m, key, desc) {
      if (typeof key === "symbol") throw new TypeError("Cannot set Symbol properties on Go maps");
      noAccessor(key, desc);
      m[key] = exportValue(desc.value, null);
      return true;
    },
    getPrototypeOf() { return ObjProto; },
    preventExtensions(m) { return frozen(sortedKeys(m)[0]); },
  };
  function mapProxy(m) {
    const known = weakGet(proxyOfMap, m);
    if (known !== undefined) return known;
    return adoptMap(m, mapTraps);
  }
  function adoptMap(m, traps) {
    const proxy = new RealProxy(m, traps);
    weakSet(proxyOfMap, m, proxy);
    return proxy;
  }

  const settingsTraps = {
    ...mapTraps,
    __proto__: null,
    get(m, key) {
      if (typeof key === "string" && hasOwn(m, key)) return wrap(m[key]);
      if (key === BEHIND) return m;
      // toJSON is read by JSON.stringify(job.settings), not by the script.
      if (typeof key === "string" && key !== "toJSON" && !(key in ObjProto)) notice("setting-missing", key, { key });
      return reflectGet(ObjProto, key, weakGet(proxyOfMap, m));
    },
    set(m, key, value) {
      if (typeof key === "string") setAdd(writtenSettings, key);
      return mapTraps.set(m, key, value);
    },
    has(m, key) { return mapTraps.has(m, key); },
    deleteProperty(m, key) { return mapTraps.deleteProperty(m, key); },
  };
  const writtenSettings = new Set();

  const metadataTraps = {
    ...mapTraps,
    __proto__: null,
    set(m, key, value) {
      if (typeof key === "symbol") throw new TypeError("Cannot set Symbol properties on Go maps");
      m[wellFormed(key)] = toGoString(value);
      return true;
    },
    defineProperty(m, key, desc) {
      if (typeof key === "symbol") throw new TypeError("Cannot set Symbol properties on Go maps");
      noAccessor(key, desc);
      m[key] = toGoString(desc.value);
      return true;
    },
  };

  // ------------------------------------------------------------------ proxies: slices
  function indexOfKey(key) {
    if (typeof key !== "string" || key.length === 0 || key.length > 15) return -1;
    const first = charCode(key, 0);
    if (first < 48 || first > 57 || (first === 48 && key.length > 1)) return -1;
    const n = +key;
    return n === trunc(n) && "" + n === key ? n : -1;
  }
  const dummy = [];
  class SliceTraps {
    constructor(s) { this.s = s; }
    get(_target, key) {
      if (key === "length") return this.s.n;
      if (key === BEHIND) return this.s;
      const i = indexOfKey(key);
      if (i >= 0) return i < this.s.n ? wrap(this.s.a[i]) : ArrProto[key];
      return reflectGet(ArrProto, key, this.s.p);
    }
    put(i, value) {
      const s = this.s;
      if (isObject(value) && s.elem === "any" && behind(value) !== undefined) tainted = true;
      const converted = CONVERT[s.elem](value);
      if (i >= s.n) {
        if (i > config.limits.max_tasks * 64) wouldHang(`a list is grown to ${i} elements`);
        s.grow(i + 1);
      }
      s.a[i] = converted;
      return true;
    }
    set(_target, key, value) {
      const i = indexOfKey(key);
      if (i >= 0) return this.put(i, value);
      if (key === "length") {
        const n = toGoInt(value);
        if (n > config.limits.max_tasks * 64) wouldHang(`a list is grown to ${n} elements`);
        if (n > this.s.n) this.s.grow(n); else if (n >= 0) this.s.shrink(n);
        return true;
      }
      throw new TypeError(`Can't set property '${String(key)}' on Go slice`);
    }
    has(_target, key) {
      const i = indexOfKey(key);
      if (i >= 0) return i < this.s.n;
      return key === "length" || key in ArrProto;
    }
    deleteProperty(_target, key) {
      const i = indexOfKey(key);
      if (i >= 0) { if (i < this.s.n) this.s.a[i] = ZERO[this.s.elem](); return true; }
      if (key === "length") throw new TypeError("Cannot delete property length from a Go type");
      return true;
    }
    ownKeys() {
      const out = [];
      for (let i = 0; i < this.s.n; i += 1) out[i] = "" + i;
      push(out, "length");
      return out;
    }
    getOwnPropertyDescriptor(_target, key) {
      if (key === "length") return { value: this.s.n, writable: true, enumerable: false, configurable: false };
      const i = indexOfKey(key);
      if (i < 0 || i >= this.s.n) return undefined;
      return { value: wrap(this.s.a[i]), writable: true, enumerable: true, configurable: true };
    }
    defineProperty(_target, key, desc) {
      const i = indexOfKey(key);
      if (i >= 0) {
        if (desc.get || desc.set) throw new TypeError("Host objects do not support accessor properties");
        return this.put(i, desc.value);
      }
      if (key === "length") return this.set(dummy, key, desc.value);
      throw new TypeError(`Cannot define property '${String(key)}' on a Go slice`);
    }
    getPrototypeOf() { return ArrProto; }
    preventExtensions() { return frozen(this.s.n > 0 ? "0" : "length"); }
  }
  function sliceProxy(s) {
    const proxy = new RealProxy([], new SliceTraps(s));
    s.p = proxy;
    return proxy;
  }

  // ------------------------------------------------------------------ proxies: structs
  const hostWrite = (key) => new TypeError(
    typeof key === "symbol" ? "Cannot assign to Symbol property of a host object"
      : `Cannot assign to property ${key} of a host object`);
  const fieldError = (text) => new TypeError("Go struct conversion error: " + text);

  /** Traps over a record: `fields` name -> {get, set}, `methods` name -> (record) => function. */
  function structTraps(fields, methods) {
    const names = [...objectKeys(fields), ...objectKeys(methods)];
    const own = { __proto__: null, ...fields };
    const bound = { __proto__: null, ...methods };
    return {
      __proto__: null,
      get(r, key) {
        if (typeof key === "string") {
          const field = own[key];
          if (field !== undefined) return field.get(r);
          const method = bound[key];
          if (method !== undefined) return method(r);
          return reflectGet(ObjProto, key, r.p);
        }
        if (key === BEHIND) return r;
        return hasOwn(r, key) ? r[key] : reflectGet(ObjProto, key, r.p);
      },
      set(r, key, value) {
        if (typeof key === "symbol") { r[key] = value; return true; }
        const field = own[key];
        if (field === undefined) throw hostWrite(key);
        field.set(r, value);
        return true;
      },
      has(_r, key) { return (typeof key === "string" && (key in own || key in bound)) || key in ObjProto; },
      deleteProperty(_r, key) {
        if (typeof key === "string" && (key in own || key in bound)) {
          throw new TypeError(`Cannot delete property ${key} from a Go type`);
        }
        return true;
      },
      ownKeys() { return slice(names, 0); },
      getOwnPropertyDescriptor(r, key) {
        if (typeof key !== "string") return undefined;
        if (key in own) return { value: own[key].get(r), writable: true, enumerable: true, configurable: true };
        if (key in bound) return { value: bound[key](r), writable: false, enumerable: true, configurable: true };
        return undefined;
      },
      defineProperty(r, key, desc) {
        if (typeof key === "symbol") { defineProperty(r, key, desc); return true; }
        noAccessor(key, desc);
        if (!(key in own)) throw new TypeError(`Cannot define property '${key}' on a host object`);
        own[key].set(r, desc.value);
        return true;
      },
      getPrototypeOf() { return ObjProto; },
      preventExtensions() { return frozen(names[0]); },
    };
  }
  function structProxy(r, traps) {
    const proxy = new RealProxy(r, traps);
    r.p = proxy;
    return proxy;
  }
  const goFunction = (type, f) => { weakSet(goFunctions, f, type); return f; };

  const changed = (r, what) => {
    if (r.added) notice("changed-after-add", r.name + "\u0000" + what, { task: r.name, what });
  };
  const stringField = (name) => ({
    get: (r) => r[name],
    set: (r, v) => { changed(r, name); r[name] = toGoString(v); },
  });
  const intField = (name) => ({ get: (r) => r[name], set: (r, v) => { changed(r, name); r[name] = toGoInt(v); } });
  const listField = (name, elem) => ({
    get: (r) => r[name].p || sliceProxy(r[name]),
    set: (r, v) => { changed(r, name); r[name] = toSlice(v, elem); },
  });

  const taskTraps = structTraps(
    {
      uUID: {
        get: (r) => { if (typeof r.id === "number") serialText(r.id); return uuidText(r.id); },
        set: (r, v) => { changed(r, "uUID"); r.id = identity(toGoString(v)); },
      },
      name: stringField("name"),
      type: stringField("type"),
      priority: intField("priority"),
      commands: listField("commands", "command"),
      dependencies: listField("dependencies", "pointer"),
    },
    {
      addCommand: (r) => (command) => { addCommand(r, command); },
      addDependency: (r) => (task) => { addDependency(r, task); },
    },
  );
  const serials = new Map();         // text of a serial that a script saw -> the serial
  function serialText(id) { mapSet(serials, uuidText(id), id); }
  function identity(text) { const id = mapGet(serials, text); return id === undefined ? text : id; }

  function addCommand(task, command) {
    changed(task, "addCommand");
    const record = toCommandPointer(command);
    if (record === null) goPanic(NIL_POINTER);
    task.commands.append(copyCommand(record));
  }
  function addDependency(task, other) {
    changed(task, "addDependency");
    task.dependencies.append(toTaskPointer(other));
    if (config.trace) push(dependencyPlaces, { task, index: task.dependencies.n - 1, stack: stackText() });
  }
  const dependencyPlaces = [];

  const taskProxy = (r) => r.p || structProxy(r, taskTraps);

  const commandTraps = structTraps(
    {
      name: { get: (r) => r.name, set: (r, v) => { r.name = toGoString(v); } },
      parameters: {
        get: (r) => (r.parameters === null ? (r.emptyView = r.emptyView || nilMapProxy()) : mapProxy(r.parameters)),
        set: (r, v) => { r.parameters = toParameters(v, (text) => fieldError(text)); },
      },
      totalStepCount: { get: (r) => r.totalStepCount, set: (r, v) => { r.totalStepCount = toGoInt(v); } },
    },
    {},
  );
  const commandProxy = (r) => r.p || structProxy(r, commandTraps);
  /** A nil Go map: reads like an empty one, assignment is a Go panic. */
  function nilMapProxy() {
    const m = emptyMap();
    const panic = () => goPanic("runtime.plainError: assignment to entry in nil map");
    return adoptMap(m, { ...mapTraps, __proto__: null, set: panic, defineProperty: panic });
  }

  const storageTraps = structTraps({
    shamanCheckoutID: { get: (r) => r.shamanCheckoutID, set: (r, v) => { r.shamanCheckoutID = toGoString(v); } },
  }, {});
  const storageProxy = (r) => r.p || structProxy(r, storageTraps);

  // ------------------------------------------------------------------ conversions to the structs
  const noConversion = (v, type) => `could not convert ${valueText(v)} to ${type}`;
  const isNil = (v) => v === undefined || v === null;

  function toParameters(v, error) {
    if (isNil(v)) return null;
    if (!isObject(v)) throw error(noConversion(v, "job_compilers.AuthoredCommandParameters"));
    const record = behind(v);
    if (record !== undefined && protoOf(record) === null) return record;
    if (record === undefined && !weakHas(userProxies, v) && !isArray(v) && typeof v !== "function") {
      const proto = protoOf(v);
      if (proto === ObjProto || proto === null) return exportKeys(v, new Map());
      if (attempt(mapSize, v) !== undefined) {
        const out = emptyMap();
        mapForEach(v, (value, key) => { out[toGoString(key)] = exportValue(value, null); });
        return out;
      }
      if (attempt(setSize, v) !== undefined) {
        const out = emptyMap();
        setForEach(v, (key) => { out[toGoString(key)] = null; });
        return out;
      }
    }
    return exportKeys(v, new Map());
  }
  const readKey = (object, key) => { const v = object[key]; return v; };

  function toCommandStruct(v) {
    if (isNil(v)) return newCommand("", null, 0);
    const record = isObject(v) ? behind(v) : undefined;
    if (record !== undefined && record.k === COMMAND) return copyCommand(record);
    return commandFromObject(v);
  }
  function commandFromObject(v) {
    if (!isObject(v)) throw new TypeError("Go type conversion error: " + noConversion(v, "job_compilers.AuthoredCommand"));
    const parameters = readKey(v, "parameters");
    return newCommand(
      toGoString(readKey(v, "name")),
      toParameters(parameters, (text) => new TypeError("could not convert function call parameter 0: could not convert "
        + `struct value ${valueText(parameters)} to job_compilers.AuthoredCommandParameters for field Parameters: ${text}`)),
      toGoInt(readKey(v, "totalStepCount")),
    );
  }
  function toCommandPointer(v) {
    if (isNil(v)) return null;
    if (!isObject(v)) throw parameterError(0, noConversion(v, "job_compilers.AuthoredCommand"));
    const record = behind(v);
    if (record !== undefined && record.k === COMMAND) return record;
    return commandFromObject(v);
  }
  function parameterError(index, text) {
    return new TypeError(`could not convert function call parameter ${index}: ${text}`);
  }
  function taskFromObject(v) {
    const t = newTask(identity(toGoString(readKey(v, "uUID"))), toGoString(readKey(v, "name")),
      toGoString(readKey(v, "type")), toGoInt(readKey(v, "priority")));
    t.commands = toSlice(readKey(v, "commands"), "command");
    t.dependencies = toSlice(readKey(v, "dependencies"), "pointer");
    return t;
  }
  function toTaskStruct(v) {
    if (isNil(v)) return newTask("", "", "", 0);
    if (!isObject(v)) throw new TypeError("Go type conversion error: " + noConversion(v, "job_compilers.AuthoredTask"));
    const record = behind(v);
    if (record !== undefined && record.k === TASK) return copyTask(record);
    return taskFromObject(v);
  }
  function toTaskPointer(v) {
    if (isNil(v)) return null;
    if (!isObject(v)) throw parameterError(0, noConversion(v, "job_compilers.AuthoredTask"));
    const record = behind(v);
    if (record !== undefined && record.k === TASK) return record.cell ? copyTask(record) : record;
    return taskFromObject(v);
  }
  function toSlice(v, elem) {
    if (isNil(v)) return new Slice([], 0, 0, elem);
    const type = GO_TYPE[elem];
    if (!isObject(v)) throw fieldError(noConversion(v, type));
    const record = behind(v);
    if (record !== undefined && record.k === TYPED_SLICE && record.elem === elem) return record.copyHeader();
    if (!isArray(v) && typeof v[RealSymbol.iterator] !== "function" && (typeof v === "function" || v.length === undefined)) {
      throw fieldError(`cannot convert ${valueText(v)} to ${type}: not an array or iterable`);
    }
    const items = isArray(v) || typeof v[RealSymbol.iterator] !== "function" ? v : [...v];
    const out = [];
    const length = toGoInt(items.length);
    for (let i = 0; i < length; i += 1) out[i] = CONVERT[elem](items[i]);
    return new Slice(out, length, length, elem);
  }

  // ------------------------------------------------------------------ author
  function trimGo(text) {
    const isSpace = (c) => (c >= 9 && c <= 13) || c === 32 || c === 0x85 || c === 0xa0 || c === 0x1680
      || (c >= 0x2000 && c <= 0x200a) || c === 0x2028 || c === 0x2029 || c === 0x202f || c === 0x205f || c === 0x3000;
    let start = 0, end = text.length;
    while (start < end && isSpace(charCode(text, start))) start += 1;
    while (end > start && isSpace(charCode(text, end - 1))) end -= 1;
    return start === 0 && end === text.length ? text : substring(text, start, end);
  }
  const made = [];                   // tasks of author.Task, for lint: which of them the job never got
  function authorTask(name, type) {
    const goName = trimGo(toGoString(name));
    const goType = trimGo(toGoString(type));
    if (goName === "") throw new GoError("author.Task(name, type): name is required");
    if (goType === "") throw new GoError("author.Task(name, type): type is required");
    serial += 1;
    const record = newTask(serial, goName, goType, 50);
    if (config.trace) record.at = stackText();
    if (config.lint && made.length < config.limits.max_tasks) push(made, record);
    return structProxy(record, taskTraps);
  }
  function authorCommand(name, parameters, steps) {
    const goName = toGoString(name);
    const goParameters = toParameters(parameters, (text) => parameterError(1, text));
    const record = newCommand(goName, goParameters === null ? emptyMap() : goParameters, has("steps") ? toGoInt(steps) : 0);
    if (config.trace) record.at = stackText();
    return structProxy(record, commandTraps);
  }

  // ------------------------------------------------------------------ job
  let job = null, jobProxy = null;
  const jobTraps = structTraps(
    {
      jobID: stringField("jobID"),
      workerTagUUID: stringField("workerTagUUID"),
      name: stringField("name"),
      jobType: stringField("jobType"),
      priority: intField("priority"),
      status: stringField("status"),
      created: { get: (r) => r.created.p || timeProxy(r.created), set: (r, v) => { r.created = toTime(v, fieldError); } },
      settings: {
        get: (r) => weakGet(proxyOfMap, r.settings) || adoptMap(r.settings, settingsTraps),
        set: (r, v) => { r.settings = toMapField(v, "job_compilers.JobSettings", false); },
      },
      metadata: {
        get: (r) => weakGet(proxyOfMap, r.metadata) || adoptMap(r.metadata, metadataTraps),
        set: (r, v) => { r.metadata = toMapField(v, "job_compilers.JobMetadata", true); },
      },
      storage: {
        get: (r) => storageProxy(r.storage),
        set: (r, v) => {
          if (!isNil(v) && !isObject(v)) throw fieldError(noConversion(v, "job_compilers.JobStorageInfo"));
          r.storage = { k: STORAGE, shamanCheckoutID: isNil(v) ? "" : toGoString(readKey(v, "shamanCheckoutID")), p: null };
        },
      },
      tasks: listField("tasks", "task"),
    },
    { addTask: () => addTaskMethod },
  );
  const addTaskMethod = goFunction("func(*job_compilers.AuthoredTask)", (task) => { addTask(task); });
  function toMapField(v, type, strings) {
    if (isNil(v)) return emptyMap();
    if (!isObject(v)) throw fieldError(noConversion(v, type));
    if (!strings) return toParameters(v, fieldError);
    const out = emptyMap();
    const keys = objectKeys(v);
    for (let i = 0; i < keys.length; i += 1) out[wellFormed(keys[i])] = toGoString(v[keys[i]]);
    return out;
  }
  function addTask(task) {
    const record = toTaskPointerForAdd(task);
    if (record === null) goPanic(NIL_POINTER);
    if (job.tasks.n >= config.limits.max_tasks) wouldHang(`the job grows beyond ${config.limits.max_tasks} tasks`);
    const cell = copyTask(record);
    cell.cell = true;
    if (config.trace && cell.at === "") cell.at = stackText();
    job.tasks.append(cell);
    record.added = true;
  }
  function toTaskPointerForAdd(v) {
    return toTaskPointer(v);
  }

  // ------------------------------------------------------------------ frames
  const SPACE = /^[\t-\r \u0085\u00a0]+|[\t-\r \u0085\u00a0]+$/g;
  const INTEGER = /^[+-]?[0-9]+$/;
  const strip = uncurry(String.prototype.replace);

  function isDigits(text) {
    const length = text.length;
    if (length === 0 || length > 15) return false;
    for (let i = 0; i < length; i += 1) { const c = charCode(text, i); if (c < 48 || c > 57) return false; }
    return true;
  }
  function parseFrame(text, part, range) {
    if (isDigits(text)) return +text;
    const cleaned = strip(text, SPACE, "");
    part = strip(part, SPACE, "");
    if (exec(INTEGER, cleaned) === null) {
      throw new GoError(`invalid range "${range}":  ${part} (strconv.ParseInt: parsing ${goQuote(cleaned)}: invalid syntax)`);
    }
    const exact = BigIntOf(cleaned[0] === "+" ? substring(cleaned, 1) : cleaned);
    if (exact > MAX_INT64 || exact < -MAX_INT64 - 1n) {
      throw new GoError(`invalid range "${range}":  ${part} (strconv.ParseInt: parsing ${goQuote(cleaned)}: value out of range)`);
    }
    return exact > 9007199254740991n ? exact : Number(exact);
  }
  /** Sorted, disjoint [first, last] intervals; numbers beyond 2^53 stay exact as BigInt. */
  function parseFrames(text) {
    const range = replaceAll(text, "..", "-");
    const intervals = [];
    const parts = split(range, ",");
    let total = 0;
    for (let i = 0; i < parts.length; i += 1) {
      const part = parts[i];
      const ends = split(part, "-");
      let first, last;
      if (ends.length === 1) first = last = parseFrame(ends[0], part, range);
      else if (ends.length === 2) {
        first = parseFrame(ends[0], part, range);
        last = parseFrame(ends[1], part, range);
      } else throw new GoError(`invalid range "${range}": ${part}`);
      if (first > last) continue;
      total += Number(last) - Number(first) + 1;
      if (total > config.limits.max_frames) {
        wouldHang(`a range of ${total} frames; it keeps every frame in memory`);
      }
      push(intervals, [first, last]);
    }
    if (intervals.length < 2) return intervals;
    sort(intervals, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    const merged = [];
    for (let i = 0; i < intervals.length; i += 1) {
      const [first, last] = [intervals[i][0], intervals[i][1]];
      const previous = merged[merged.length - 1];
      if (previous !== undefined && first <= previous[1]) { if (last > previous[1]) previous[1] = last; }
      else push(merged, [first, last]);
    }
    return merged;
  }
  const plus = (a, b) => (typeof a === "bigint" ? a + BigIntOf(b) : a + b);
  const size = (interval) => Number(interval[1]) - Number(interval[0]) + 1;

  function runText(first, last) {
    if (first === last) {
      // The largest frame number overflows in the Manager's run detection and is named twice.
      return typeof first === "bigint" && first === MAX_INT64 ? `${first},${first}` : `${first}`;
    }
    return size([first, last]) === 2 ? `${first},${last}` : `${first}-${last}`;
  }
  function chunkFrames(text, chunkSize) {
    const trimmed = trimGo(text);
    if (trimmed === "") throw new GoError(`invalid range "${""}": empty range`);
    const intervals = parseFrames(trimmed);
    if (intervals.length === 0) throw new GoError(`invalid range "${replaceAll(trimmed, "..", "-")}": empty range`);
    const chunks = [];
    let room = chunkSize, runs = [];
    let open = null;                        // the run being built, to join neighbours of adjoining intervals
    const closeRun = () => { if (open !== null) { push(runs, runText(open[0], open[1])); open = null; } };
    const flush = () => { closeRun(); push(chunks, join(runs, ",")); runs = []; room = chunkSize; };
    for (let i = 0; i < intervals.length; i += 1) {
      let first = intervals[i][0];
      const last = intervals[i][1];
      while (first <= last) {
        const rest = size([first, last]);
        const take = rest < room ? rest : room;
        const end = rest <= room ? last : plus(first, take - 1);
        if (open !== null && plus(open[1], 1) === first) open[1] = end;
        else { closeRun(); open = [first, end]; }
        room -= take;
        if (room === 0) flush();
        if (end === last) break;
        first = plus(end, 1);
      }
    }
    if (open !== null || runs.length > 0) flush();
    return chunks;
  }
  function frameChunker(range, chunkSize) {
    const text = toGoString(range);
    const step = toGoInt(chunkSize);
    if (trimGo(text) === "") throw new GoError(`invalid range "": empty range`);
    if (step < 1) throw new GoError(`invalid chunk size, must be positive number: ${step}`);
    const chunks = chunkFrames(text, step);
    return sliceProxy(new Slice(chunks, chunks.length, chunks.length, "string"));
  }
  function frameCount(range) {
    const intervals = parseFrames(toGoString(range));
    let count = 0;
    for (let i = 0; i < intervals.length; i += 1) count += size(intervals[i]);
    return count;
  }

  // ------------------------------------------------------------------ shell words, as google's shlex splits them
  function shellSplit(value) {
    const text = toGoString(value);
    const words = [];
    let word = null, state = "start";
    const fail = (message) => { plainStack = stackText(); throw plainGoError(message); };
    for (let i = 0; i < text.length; i += 1) {
      const c = text[i];
      const space = c === " " || c === "\t" || c === "\r" || c === "\n";
      switch (state) {
        case "start":
          if (space) break;
          word = "";
          if (c === '"') state = "double";
          else if (c === "'") state = "single";
          else if (c === "\\") state = "escape";
          else if (c === "#") { word = null; state = "comment"; }
          else { word = c; state = "word"; }
          break;
        case "word":
          if (space) { push(words, word); word = null; state = "start"; }
          else if (c === '"') state = "double";
          else if (c === "'") state = "single";
          else if (c === "\\") state = "escape";
          else word += c;
          break;
        case "escape": word += c; state = "word"; break;
        case "double":
          if (c === '"') state = "word";
          else if (c === "\\") state = "doubleEscape";
          else word += c;
          break;
        case "doubleEscape": word += c; state = "double"; break;
        case "single":
          if (c === "'") state = "word";
          else word += c;
          break;
        case "comment": if (c === "\n") state = "start"; break;
      }
    }
    if (state === "escape" || state === "doubleEscape") fail("EOF found after escape character");
    if (state === "double" || state === "single") fail("EOF found when expecting closing quote");
    if (word !== null) push(words, word);
    return sliceProxy(new Slice(words, words.length, words.length, "string"));
  }

  // ------------------------------------------------------------------ path
  const slashes = (text) => replaceAll(text, "\\", "/");
  function cleanPath(path) {
    if (path === "") return ".";
    const rooted = path[0] === "/";
    const parts = split(path, "/");
    const out = [];
    for (let i = 0; i < parts.length; i += 1) {
      const part = parts[i];
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (out.length > 0 && out[out.length - 1] !== "..") out.length -= 1;
        else if (!rooted) push(out, "..");
      } else push(out, part);
    }
    const text = join(out, "/");
    if (rooted) return "/" + text;
    return text === "" ? "." : text;
  }
  function baseName(path) {
    let text = slashes(path);
    if (text === "") return ".";
    while (text.length > 0 && text[text.length - 1] === "/") text = substring(text, 0, text.length - 1);
    const at = lastIndexOf(text, "/");
    if (at >= 0) text = substring(text, at + 1);
    return text === "" ? "/" : text;
  }
  function dirName(path) {
    const text = slashes(path);
    const at = lastIndexOf(text, "/");
    if (at < 0) return ".";
    if (at === 0) return "/";
    const dir = substring(text, 0, at);
    return dir === "/" ? "/" : dir;
  }
  function joinPath(args) {
    const parts = [];
    for (let i = 0; i < args.length; i += 1) { const text = toGoString(args[i]); if (text !== "") push(parts, text); }
    if (parts.length === 0) return "";
    return slashes(cleanPath(join(parts, "/")));
  }
  function stemName(path) {
    const base = baseName(path);
    if (path === "") return "";
    const dot = lastIndexOf(base, ".");
    return dot < 0 ? base : substring(base, 0, dot);
  }

  // ------------------------------------------------------------------ time
  const utcZone = { name: "UTC", at: [], offset: [0], abbr: ["UTC"], dst: [false] };
  let localZone = utcZone;
  const UNIX_TO_GO = 62135596800;           // seconds from year 1 to 1970
  const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December"];
  const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

  function zoneIndex(zone, seconds) {
    let low = 0, high = zone.at.length;
    while (low < high) { const mid = (low + high) >> 1; if (zone.at[mid] <= seconds) low = mid + 1; else high = mid; }
    return low;
  }
  const time = (s, ns, zone) => ({ k: TIME, s, ns, zone, p: null });
  const timeFromMs = (ms, zone) => { const s = floor(ms / 1000); return time(s, (ms - s * 1000) * 1e6, zone); };
  const zeroTime = (zone) => time(-UNIX_TO_GO, 0, zone);
  const mod = (a, b) => ((a % b) + b) % b;
  const pad = (n, width) => (n < 0 ? "-" + padStart("" + -n, width, "0") : padStart("" + n, width, "0"));

  function civil(t) {
    const i = zoneIndex(t.zone, t.s);
    const offset = t.zone.offset[i];
    const local = t.s + offset;
    const days = floor(local / 86400);
    const rest = local - days * 86400;
    const z = days + 719468;
    const era = floor(z / 146097);
    const doe = z - era * 146097;
    const yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365);
    const doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100));
    const mp = floor((5 * doy + 2) / 153);
    const day = doy - floor((153 * mp + 2) / 5) + 1;
    const month = mp < 10 ? mp + 3 : mp - 9;
    const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    const before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1];
    return {
      year, month, day, hour: floor(rest / 3600), minute: floor(rest / 60) % 60, second: rest % 60, offset,
      abbr: t.zone.abbr[i], dst: t.zone.dst[i], weekday: mod(days + 4, 7), yearDay: before + day + (leap && month > 2 ? 1 : 0),
    };
  }
  function daysFromCivil(year, month, day) {
    const y = month <= 2 ? year - 1 : year;
    const era = floor(y / 400);
    const yoe = y - era * 400;
    const doy = floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
    return era * 146097 + yoe * 365 + floor(yoe / 4) - floor(yoe / 100) + doy - 719468;
  }
  function fromCivil(year, month, day, hour, minute, second, ns, zone) {
    const y = year + floor((month - 1) / 12);
    const m = mod(month - 1, 12) + 1;
    const wall = (daysFromCivil(y, m, 1) + day - 1) * 86400 + hour * 3600 + minute * 60 + second;
    let guess = wall - zone.offset[zoneIndex(zone, wall)];
    const again = wall - zone.offset[zoneIndex(zone, guess)];
    if (again !== guess) guess = again;
    return time(guess, ns, zone);
  }
  function offsetText(offset, style) {
    if (style.zulu && offset === 0) return "Z";
    const sign = offset < 0 ? "-" : "+";
    const value = abs(offset);
    let text = sign + pad(floor(value / 3600), 2);
    if (style.minutes) text += style.colon + pad(floor(value / 60) % 60, 2);
    if (style.seconds) text += style.colon + pad(value % 60, 2);
    return text;
  }
  const LAYOUT = new RegExp(
    "January|Jan|Monday|Mon|MST|2006|__2|_2006|_2|002|01|02|03|04|05|06|15|-07:00:00|-070000|-07:00|-0700|-07"
    + "|Z07:00:00|Z070000|Z07:00|Z0700|Z07|PM|pm|[.,](?:0+|9+)(?![0-9])|1|2|3|4|5", "g");
  function formatTime(t, layout) {
    const c = civil(t);
    const hour12 = c.hour % 12 === 0 ? 12 : c.hour % 12;
    return strip(layout, LAYOUT, (std, at) => {
      switch (std) {
        case "January": return MONTHS[c.month - 1];
        case "Jan":
        case "Mon": {
          const next = layout[at + 3];
          if (next !== undefined && next >= "a" && next <= "z") return std;
          return substring(std === "Jan" ? MONTHS[c.month - 1] : DAYS[c.weekday], 0, 3);
        }
        case "Monday": return DAYS[c.weekday];
        case "MST": return c.abbr;
        case "2006": return pad(c.year, 4);
        case "_2006": return "_" + pad(c.year, 4);
        case "06": return pad(mod(c.year, 100), 2);
        case "01": return pad(c.month, 2);
        case "1": return "" + c.month;
        case "02": return pad(c.day, 2);
        case "_2": return padStart("" + c.day, 2, " ");
        case "2": return "" + c.day;
        case "002": return pad(c.yearDay, 3);
        case "__2": return padStart("" + c.yearDay, 3, " ");
        case "15": return pad(c.hour, 2);
        case "03": return pad(hour12, 2);
        case "3": return "" + hour12;
        case "04": return pad(c.minute, 2);
        case "4": return "" + c.minute;
        case "05": return pad(c.second, 2);
        case "5": return "" + c.second;
        case "PM": return c.hour >= 12 ? "PM" : "AM";
        case "pm": return c.hour >= 12 ? "pm" : "am";
      }
      if (std[0] === "." || std[0] === ",") {
        const digits = substring(pad(t.ns, 9), 0, std.length - 1 > 9 ? 9 : std.length - 1);
        if (std[1] === "0") return std[0] + digits;
        const cut = strip(digits, /0+$/, "");
        return cut === "" ? "" : std[0] + cut;
      }
      return offsetText(c.offset, {
        zulu: std[0] === "Z", colon: indexOf(std, ":") >= 0 ? ":" : "", minutes: std.length > 3,
        seconds: strip(std, /[^0-9]/g, "").length === 6,
      });
    });
  }
  const rfc3339 = (t) => formatTime(t, "2006-01-02T15:04:05.999999999Z07:00");
  function timeJson(t) {
    const year = civil(t).year;
    if (year < 0 || year > 9999) {
      throw new JsonFailure("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: year outside of range [0,9999]");
    }
    return rfc3339(t);
  }
  /** A Go integer with methods: a number that shows itself as text. */
  function goInt(value, text, methods) {
    const box = new Number(value);
    const show = () => text;
    defineProperty(box, "toString", { value: show, writable: true, configurable: true });
    defineProperty(box, "valueOf", { value: () => value, writable: true, configurable: true });
    for (const name of objectKeys(methods)) defineProperty(box, name, { value: methods[name], enumerable: true, configurable: true });
    defineProperty(box, "string", { value: show, enumerable: true, configurable: true });
    defineProperty(box, BEHIND, { value: { k: GO_INT, value } });
    return box;
  }
  const intOf = (v) => { const r = isObject(v) ? behind(v) : undefined; return r && r.k === GO_INT ? r.value : toGoInt(v); };
  function durationText(ns) {
    if (ns === 0) return "0s";
    const sign = ns < 0 ? "-" : "";
    const u = abs(ns);
    const trimZeros = (x) => strip(x.toFixed(9), /\.?0+$/, "");
    if (u < 1000) return `${sign}${u}ns`;
    if (u < 1e6) return `${sign}${trimZeros(u / 1e3)}\u00b5s`;
    if (u < 1e9) return `${sign}${trimZeros(u / 1e6)}ms`;
    const h = floor(u / 3.6e12), m = floor((u % 3.6e12) / 6e10);
    const s = trimZeros((u % 6e10) / 1e9);
    return `${sign}${h > 0 ? h + "h" : ""}${h > 0 || m > 0 ? m + "m" : ""}${s}s`;
  }
  function duration(ns) {
    return goInt(ns, durationText(ns), {
      abs: () => duration(abs(ns)), hours: () => ns / 3.6e12, microseconds: () => trunc(ns / 1e3),
      milliseconds: () => trunc(ns / 1e6), minutes: () => ns / 6e10, nanoseconds: () => ns,
      round: (m) => duration(roundTo(ns, intOf(m))), seconds: () => ns / 1e9,
      truncate: (m) => { const d = intOf(m); return duration(d <= 0 ? ns : ns - (ns % d)); },
    });
  }
  function roundTo(ns, d) { if (d <= 0) return ns; const r = ns % d; return abs(r) * 2 >= d ? ns - r + (ns < 0 ? -d : d) : ns - r; }
  const monthValue = (m) => goInt(m, MONTHS[m - 1], {});
  const weekdayValue = (d) => goInt(d, DAYS[d], {});
  function isoWeek(t) {
    const c = civil(t);
    const days = daysFromCivil(c.year, c.month, c.day) + (4 - (c.weekday === 0 ? 7 : c.weekday));
    const thursday = civil(time(days * 86400, 0, utcZone));
    return [thursday.year, floor((thursday.yearDay - 1) / 7) + 1];
  }
  const tuple = (...values) => sliceProxy(new Slice(values, values.length, values.length, "any"));
  const compareTimes = (a, b) => (a.s < b.s ? -1 : a.s > b.s ? 1 : a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0);
  const shift = (t, ns) => {
    const total = t.ns + mod(ns, 1e9);
    return time(t.s + floor(ns / 1e9) + floor(total / 1e9), total % 1e9, t.zone);
  };
  const bytesOf = (text) => { const out = []; const e = encodeUtf8(text); for (let i = 0; i < e.length; i += 1) out[i] = e[i]; return out; };
  const byteSlice = (bytes) => sliceProxy(new Slice(bytes, bytes.length, bytes.length, "number"));
  function encodeUtf8(text) {
    const out = [];
    for (let i = 0; i < text.length; i += 1) {
      const c = codePoint(text, i);
      if (c > 0xffff) i += 1;
      if (c < 0x80) push(out, c);
      else if (c < 0x800) { push(out, 0xc0 | (c >> 6)); push(out, 0x80 | (c & 63)); }
      else if (c < 0x10000) { push(out, 0xe0 | (c >> 12)); push(out, 0x80 | ((c >> 6) & 63)); push(out, 0x80 | (c & 63)); }
      else { push(out, 0xf0 | (c >> 18)); push(out, 0x80 | ((c >> 12) & 63)); push(out, 0x80 | ((c >> 6) & 63)); push(out, 0x80 | (c & 63)); }
    }
    return out;
  }
  function binaryTime(t) {
    const out = [1];
    let seconds = t.s + UNIX_TO_GO;
    const eight = [];
    for (let i = 0; i < 8; i += 1) { eight[7 - i] = mod(seconds, 256); seconds = floor(seconds / 256); }
    for (let i = 0; i < 8; i += 1) push(out, eight[i]);
    for (let i = 3; i >= 0; i -= 1) push(out, floor(t.ns / 256 ** i) % 256);
    const offset = t.zone === utcZone ? -1 : floor(civil(t).offset / 60);
    push(out, mod(offset >> 8, 256)); push(out, mod(offset, 256));
    return out;
  }
  const locationTraps = structTraps({}, { string: (r) => () => r.name });
  function locationValue(zone) {
    const r = { k: LOCATION, name: zone === utcZone ? "UTC" : "Local", zone, p: null };
    defineProperty(r, "toString", { value: () => r.name, configurable: true });
    const proxy = new RealProxy(r, { ...locationTraps, __proto__: null,
      get: (target, key) => (key === "toString" || key === "valueOf" ? () => r.name : locationTraps.get(target, key)) });
    r.p = proxy;
    return proxy;
  }
  const argTime = (v, i) => toTime(v, (text) => parameterError(i, text));
  function truncateTime(t, d, nearest) {
    if (d <= 0) return t;
    const since = BigIntOf(t.s + UNIX_TO_GO) * 1000000000n + BigIntOf(t.ns);
    const step = BigIntOf(d);
    const rest = since % step;
    const exact = nearest && rest * 2n >= step ? since - rest + step : since - rest;
    return time(Number(exact / 1000000000n) - UNIX_TO_GO, Number(exact % 1000000000n), t.zone);
  }
  function setTime(t, text) {
    const parsed = parseDateText(text);
    if (parsed === undefined) throw new GoError(`parsing time ${goQuote(text)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
    t.s = floor(parsed / 1000); t.ns = (parsed - t.s * 1000) * 1e6;
  }
  const textOfBytes = (v) => { let out = ""; for (let i = 0; i < v.length; i += 1) out += String.fromCharCode(v[i]); return out; };
  const timeMethods = {
    add: (t) => (d) => timeProxy(shift(t, intOf(d))),
    addDate: (t) => (y, m, d) => {
      const c = civil(t);
      return timeProxy(fromCivil(c.year + toGoInt(y), c.month + toGoInt(m), c.day + toGoInt(d), c.hour, c.minute, c.second, t.ns, t.zone));
    },
    after: (t) => (u) => compareTimes(t, argTime(u, 0)) > 0,
    appendBinary: (t) => (b) => byteSlice([...(b || []), ...binaryTime(t)]),
    appendFormat: (t) => (b, layout) => byteSlice([...(b || []), ...bytesOf(formatTime(t, toGoString(layout)))]),
    appendText: (t) => (b) => byteSlice([...(b || []), ...bytesOf(rfc3339(t))]),
    before: (t) => (u) => compareTimes(t, argTime(u, 0)) < 0,
    clock: (t) => () => { const c = civil(t); return tuple(c.hour, c.minute, c.second); },
    compare: (t) => (u) => compareTimes(t, argTime(u, 0)),
    date: (t) => () => {
      const c = civil(t);
      tainted = true;
      return tuple(c.year, { k: GO_INT, value: c.month, p: monthValue(c.month) }, c.day);
    },
    day: (t) => () => civil(t).day,
    equal: (t) => (u) => compareTimes(t, argTime(u, 0)) === 0,
    format: (t) => (layout) => formatTime(t, toGoString(layout)),
    goString: (t) => () => {
      const c = civil(t);
      return `time.Date(${c.year}, time.${MONTHS[c.month - 1]}, ${c.day}, ${c.hour}, ${c.minute}, ${c.second}, ${t.ns}, `
        + `${t.zone === utcZone ? "time.UTC" : "time.Local"})`;
    },
    gobDecode: (t) => (b) => { setTime(t, textOfBytes(b)); },
    gobEncode: (t) => () => byteSlice(binaryTime(t)),
    hour: (t) => () => civil(t).hour,
    iSOWeek: (t) => () => { const w = isoWeek(t); return tuple(w[0], w[1]); },
    in: (t) => (location) => {
      const r = isObject(location) ? behind(location) : undefined;
      if (r === undefined || r.k !== LOCATION) goPanic("string: time: missing Location in call to Time.In");
      return timeProxy(time(t.s, t.ns, r.zone));
    },
    isDST: (t) => () => civil(t).dst,
    isZero: (t) => () => t.s === -UNIX_TO_GO && t.ns === 0,
    local: (t) => () => timeProxy(time(t.s, t.ns, localZone)),
    location: (t) => () => locationValue(t.zone),
    marshalBinary: (t) => () => byteSlice(binaryTime(t)),
    marshalJSON: (t) => () => byteSlice(bytesOf('"' + rfc3339(t) + '"')),
    marshalText: (t) => () => byteSlice(bytesOf(rfc3339(t))),
    minute: (t) => () => civil(t).minute,
    month: (t) => () => monthValue(civil(t).month),
    nanosecond: (t) => () => t.ns,
    round: (t) => (d) => timeProxy(truncateTime(t, intOf(d), true)),
    second: (t) => () => civil(t).second,
    string: (t) => () => timeText(t),
    sub: (t) => (u) => { const o = argTime(u, 0); return duration((t.s - o.s) * 1e9 + (t.ns - o.ns)); },
    truncate: (t) => (d) => timeProxy(truncateTime(t, intOf(d), false)),
    uTC: (t) => () => timeProxy(time(t.s, t.ns, utcZone)),
    unix: (t) => () => t.s,
    unixMicro: (t) => () => t.s * 1e6 + floor(t.ns / 1e3),
    unixMilli: (t) => () => t.s * 1e3 + floor(t.ns / 1e6),
    unixNano: (t) => () => t.s * 1e9 + t.ns,
    unmarshalBinary: (t) => (b) => { setTime(t, textOfBytes(b)); },
    unmarshalJSON: (t) => (b) => { setTime(t, strip(textOfBytes(b), /^"|"$/g, "")); },
    unmarshalText: (t) => (b) => { setTime(t, textOfBytes(b)); },
    weekday: (t) => () => weekdayValue(civil(t).weekday),
    year: (t) => () => civil(t).year,
    yearDay: (t) => () => civil(t).yearDay,
    zone: (t) => () => { const c = civil(t); return tuple(c.abbr, c.offset); },
    zoneBounds: (t) => () => {
      const i = zoneIndex(t.zone, t.s);
      const edge = (seconds) => (seconds === undefined ? zeroTime(t.zone) : time(seconds, 0, t.zone));
      return tuple(edge(t.zone.at[i - 1]), edge(t.zone.at[i]));
    },
  };
  const BYTES_OUT = "func() ([]uint8, error)", BYTES_IN = "func([]uint8) error", COUNT = "func() int", COUNT64 = "func() int64";
  const TIME_TYPES = {
    __proto__: null, add: "func(time.Duration) time.Time", addDate: "func(int, int, int) time.Time", after: "func(time.Time) bool",
    appendBinary: "func([]uint8) ([]uint8, error)", appendFormat: "func([]uint8, string) []uint8",
    appendText: "func([]uint8) ([]uint8, error)", before: "func(time.Time) bool", clock: "func() (int, int, int)",
    compare: "func(time.Time) int", date: "func() (int, time.Month, int)", day: COUNT, equal: "func(time.Time) bool",
    format: "func(string) string", goString: "func() string", gobDecode: BYTES_IN, gobEncode: BYTES_OUT, hour: COUNT,
    iSOWeek: "func() (int, int)", in: "func(*time.Location) time.Time", isDST: "func() bool", isZero: "func() bool",
    local: "func() time.Time", location: "func() *time.Location", marshalBinary: BYTES_OUT, marshalJSON: BYTES_OUT,
    marshalText: BYTES_OUT, minute: COUNT, month: "func() time.Month", nanosecond: COUNT, round: "func(time.Duration) time.Time",
    second: COUNT, string: "func() string", sub: "func(time.Time) time.Duration", truncate: "func(time.Duration) time.Time",
    uTC: "func() time.Time", unix: COUNT64, unixMicro: COUNT64, unixMilli: COUNT64, unixNano: COUNT64,
    unmarshalBinary: BYTES_IN, unmarshalJSON: BYTES_IN, unmarshalText: BYTES_IN, weekday: "func() time.Weekday", year: COUNT,
    yearDay: COUNT, zone: "func() (string, int)", zoneBounds: "func() (time.Time, time.Time)",
  };
  for (const name of objectKeys(timeMethods)) {
    const make = timeMethods[name];
    timeMethods[name] = (t) => goFunction(TIME_TYPES[name], make(t));
  }
  const timeText = (t) => formatTime(t, "2006-01-02 15:04:05.999999999 -0700 MST");
  const timeStruct = structTraps({}, timeMethods);
  const timeTraps = {
    ...timeStruct,
    __proto__: null,
    get(t, key) {
      if (key === "toString" || key === "valueOf") return () => timeText(t);
      if (key === "toJSON") return () => timeJson(t);
      return timeStruct.get(t, key);
    },
  };
  const timeProxy = (t) => t.p || structProxy(t, timeTraps);

  /** Milliseconds since 1970 of a text in one of the forms the Manager's engine takes; undefined otherwise. */
  function parseDateText(text) {
    const known = exec(DATE_ISO, text) || exec(DATE_RFC1123, text) || exec(DATE_NATIVE, text) || exec(DATE_ANSI, text);
    if (known === null) return undefined;
    const ms = RealDate.parse(strip(strip(text, / \([^)]*\)$/, ""), /([+-]\d\d)(\d\d)$/, "$1:$2"));
    const plain = ms === ms ? ms : RealDate.parse(strip(text, / \([^)]*\)$/, ""));
    return plain === plain ? plain : undefined;
  }
  const DATE_ISO = /^[+-]?\d{4,6}(?:-\d\d(?:-\d\d)?)?(?:T\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;
  const DATE_RFC1123 = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), {1,2}\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d (?:[A-Z]{3,4}|(?:GMT)?[+-]\d{4}(?: \([^)]*\))?)$/;
  const DATE_NATIVE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4}(?: \([^)]*\))?$/;
  const DATE_ANSI = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:\d\d:\d\d (?:(?:[A-Z]{3,4}|[+-]\d{4}) )?\d{4}$/;

  function toTime(v, error) {
    if (isNil(v)) return zeroTime(utcZone);
    if (isObject(v)) {
      const record = behind(v);
      if (record !== undefined && record.k === TIME) return time(record.s, record.ns, record.zone);
      const ms = record === undefined && !weakHas(userProxies, v) ? attempt(dateTime, v) : undefined;
      if (ms !== undefined) {
        if (ms !== ms) goPanic("*reflect.ValueError: reflect: call of reflect.Value.Set on zero Value");
        return timeFromMs(ms, localZone);
      }
      return zeroTime(utcZone);
    }
    if (typeof v === "string") {
      const ms = parseDateText(v);
      if (ms === undefined) throw error(`could not convert string ${v} to time.Time`);
      return timeFromMs(ms, localZone);
    }
    throw error(noConversion(v, "time.Time"));
  }
  function formatTimestampLocal(value) {
    const t = argTime(value, 0);
    return formatTime(time(t.s, t.ns, localZone), "2006-01-02_150405");
  }

  // ------------------------------------------------------------------ Go's JSON
  class JsonFailure extends Error {}
  function goQuote(text) {
    let out = '"';
    for (let i = 0; i < text.length; i += 1) {
      const c = text[i], code = charCode(text, i);
      if (c === '"' || c === "\\") out += "\\" + c;
      else if (c === "\n") out += "\\n";
      else if (c === "\t") out += "\\t";
      else if (c === "\r") out += "\\r";
      else if (c === "\v") out += "\\v";
      else if (c === "\f") out += "\\f";
      else if (c === "\b") out += "\\b";
      else if (code === 7) out += "\\a";
      else if (code < 32 || code === 127) out += "\\x" + padStart(numToString(code, 16), 2, "0");
      else if (code === 0xa0 || code === 0xfeff || code === 0x2028 || code === 0x2029) out += "\\u" + padStart(numToString(code, 16), 4, "0");
      else out += c;
    }
    return out + '"';
  }
  const JSON_ESCAPE = /[\u0000-\u001f"\\<>&\u2028\u2029]/g;
  const SHORT_ESCAPE = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", __proto__: null };
  const jsonString = (text) => '"' + strip(wellFormed(text), JSON_ESCAPE,
    (c) => SHORT_ESCAPE[c] || "\\u" + padStart(numToString(charCode(c, 0), 16), 4, "0")) + '"';
  function jsonNumber(n) {
    if (n !== n) throw new JsonFailure("json: unsupported value: NaN");
    if (!isFiniteNumber(n)) throw new JsonFailure(n > 0 ? "json: unsupported value: +Inf" : "json: unsupported value: -Inf");
    if (n === 0) return 1 / n < 0 ? "-0" : "0";
    const size = abs(n);
    if (n === trunc(n) && size <= 9007199254740992) return numToString(n);
    if (size < 1e-6 || size >= 1e21) {
      const text = n.toExponential();
      return strip(text, /e([+-])0*(\d)$/, "e$1$2");
    }
    return numToString(n);
  }
  const byteOrder = (a, b) => {
    // UTF-16 order differs from byte order only between surrogates and U+E000..U+FFFF.
    if (a === b) return 0;
    const length = a.length < b.length ? a.length : b.length;
    for (let i = 0; i < length; i += 1) {
      const x = charCode(a, i), y = charCode(b, i);
      if (x !== y) {
        const xs = x >= 0xd800 && x <= 0xdfff, ys = y >= 0xd800 && y <= 0xdfff;
        if (xs !== ys) return xs ? (y >= 0xe000 ? 1 : x - y) : (x >= 0xe000 ? -1 : x - y);
        return x - y;
      }
    }
    return a.length - b.length;
  };
  // Go looks for cycles only below a thousand containers: which one it names depends on that count.
  const CYCLES_FROM = 1000;
  function guarded(key, level, seen, type, work) {
    if (level <= CYCLES_FROM) return work();
    if (setHas(seen, key)) throw new JsonFailure("json: unsupported value: encountered a cycle via " + type);
    setAdd(seen, key);
    try { return work(); } finally { setDelete(seen, key); }
  }
  const setDelete = uncurry(Set.prototype.delete);
  function goJson(v, level, seen) {
    switch (typeof v) {
      case "string": return jsonString(v);
      case "number": return jsonNumber(v);
      case "boolean": return v ? "true" : "false";
      case "undefined": return "null";
    }
    if (v === null) return "null";
    if (isArray(v)) return guarded(v, level + 1, seen, "[]interface {}", () => listJson(v, v.length, level + 1, seen));
    if (protoOf(v) === null) {
      const type = v === seen.root ? seen.type : "map[string]interface {}";
      return guarded(v, level + 1, seen, type, () => mapJson(v, level + 1, seen));
    }
    return recordJson(v, level, seen);
  }
  class Path extends Set { constructor(root, type) { super(); this.root = root; this.type = type; } }
  function listJson(list, n, level, seen) {
    const parts = [];
    for (let i = 0; i < n; i += 1) parts[i] = goJson(list[i], level, seen);
    return "[" + join(parts, ",") + "]";
  }
  function mapJson(m, level, seen) {
    const keys = sort(objectKeys(m), byteOrder);
    const parts = [];
    for (let i = 0; i < keys.length; i += 1) parts[i] = jsonString(keys[i]) + ":" + goJson(m[keys[i]], level, seen);
    return "{" + join(parts, ",") + "}";
  }
  function recordJson(r, level, seen) {
    switch (r.k) {
      case GO_FUNC: throw new JsonFailure("json: unsupported type: " + r.type);
      case TIME: return jsonString(timeJson(r));
      case BYTES: return jsonString(base64(r.bytes));
      case GO_INT: return "" + r.value;
      case STORAGE: return '{"ShamanCheckoutID":' + jsonString(r.shamanCheckoutID) + "}";
      case COMMAND: return commandJson(r, level, seen);
      case TASK:
        if (r.cell) return taskJson(r, level, seen);
        return guarded(r, level + 1, seen, "*job_compilers.AuthoredTask", () => taskJson(r, level + 1, seen));
      case JOB: return guarded(r, level + 1, seen, "*job_compilers.AuthoredJob", () => jobJson(r, level + 1, seen));
      case TYPED_SLICE:
        if (r.n === 0 && r.c === 0 && r.elem === "task") return "null";
        return guarded(r.a, level + 1, seen, GO_TYPE[r.elem], () => listJson(r.a, r.n, level + 1, seen));
      default: return "{}";
    }
  }
  const commandJson = (r, level, seen) => '{"Name":' + jsonString(r.name) + ',"Parameters":'
    + (r.parameters === null ? "null" : goJson(r.parameters, level, seen)) + ',"TotalStepCount":' + r.totalStepCount + "}";
  const taskJson = (r, level, seen) => '{"UUID":' + jsonString(uuidText(r.id)) + ',"Name":' + jsonString(r.name) + ',"Type":'
    + jsonString(r.type) + ',"Priority":' + r.priority + ',"Commands":' + recordJson(r.commands, level, seen)
    + ',"omitempty":' + recordJson(r.dependencies, level, seen) + "}";
  function jobJson(r, level, seen) {
    return '{"JobID":' + jsonString(r.jobID) + ',"WorkerTagUUID":' + jsonString(r.workerTagUUID) + ',"Name":' + jsonString(r.name)
      + ',"JobType":' + jsonString(r.jobType) + ',"Priority":' + r.priority + ',"Status":' + jsonString(r.status)
      + ',"Created":' + jsonString(timeJson(r.created)) + ',"Settings":' + goJson(r.settings, level, seen)
      + ',"Metadata":' + goJson(r.metadata, level, seen) + ',"Storage":' + recordJson(r.storage, level, seen)
      + ',"Tasks":' + recordJson(r.tasks, level, seen) + "}";
  }
  const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  function base64(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const a = bytes[i], b = bytes[i + 1], c = bytes[i + 2];
      out += BASE64[a >> 2] + BASE64[((a & 3) << 4) | ((b || 0) >> 4)]
        + (b === undefined ? "=" : BASE64[((b & 15) << 2) | ((c || 0) >> 6)]) + (c === undefined ? "=" : BASE64[c & 63]);
    }
    return out;
  }
  /** Text of Go's JSON, or the error Go would give. */
  function tryJson(v, type = "map[string]interface {}") {
    try { return { text: goJson(v, 1, new Path(v, type)) }; } catch (e) {
      if (e instanceof JsonFailure) return { error: e.message };
      if (e instanceof RangeError) tooDeep = true;
      if (e instanceof RangeError) return { error: "nested too deeply for the preview" };
      throw e;
    }
  }

  // ------------------------------------------------------------------ JOB_TYPE
  class Incomplete extends Error {}
  const EVAL_INFO = 'struct { Description string "json:\\"description\\""; ShowLinkButton bool "json:\\"showLinkButton\\"" }';
  const bad = (text) => new Incomplete(text);
  const structValue = (v, type, field, inner) => bad(`could not convert struct value ${valueText(v)} to ${type} for field ${field}: ${inner}`);

  function optional(v, type, field, convert) {
    if (isNil(v)) return undefined;
    try { return convert(v); } catch (e) {
      if (e instanceof Incomplete) throw structValue(v, type, field, e.message);
      throw e;
    }
  }
  const toAny = (v) => exportValue(v, null);
  const toBool = (v) => !!v;
  function toStringList(v) {
    return goList(v, "[]string", toGoString);
  }
  function goList(v, type, convert) {
    if (!isObject(v)) throw bad(noConversion(v, type));
    if (isArray(v)) {
      const out = [];
      for (let i = 0; i < v.length; i += 1) {
        try { out[i] = convert(v[i]); } catch (e) {
          if (e instanceof Incomplete) throw bad(`could not convert array element ${valueText(v[i])} to ${type} at ${i}: ${e.message}`);
          throw e;
        }
      }
      return out;
    }
    const out = [];
    if (typeof v[RealSymbol.iterator] === "function") { for (const item of v) push(out, convert(item)); return out; }
    if (typeof v === "function" || v.length === undefined) throw bad(`cannot convert ${valueText(v)} to ${type}: not an array or iterable`);
    const length = toGoInt(v.length);
    for (let i = 0; i < length; i += 1) out[i] = convert(v[i]);
    return out;
  }
  function toPropargs(v) {
    if (!isObject(v)) throw bad(noConversion(v, "map[string]interface {}"));
    return toParameters(v, bad);
  }
  function toEvalInfo(v) {
    if (!isObject(v)) throw bad(noConversion(v, EVAL_INFO));
    return { description: toGoString(v.description), showLinkButton: toBool(v.showLinkButton) };
  }
  function toSetting(v) {
    if (isNil(v)) return { key: "", type: "" };
    if (!isObject(v)) throw bad(noConversion(v, "api.AvailableJobSetting"));
    const s = { __proto__: null };
    s.choices = optional(v.choices, "*[]string", "Choices", toStringList);
    s.default = optional(v.default, "*interface {}", "Default", toAny);
    s.description = optional(v.description, "*interface {}", "Description", toAny);
    s.editable = optional(v.editable, "*bool", "Editable", toBool);
    s.eval = optional(v.eval, "*string", "Eval", toGoString);
    s.evalInfo = optional(v.evalInfo, "*" + EVAL_INFO, "EvalInfo", toEvalInfo);
    s.key = toGoString(v.key);
    s.label = has("label") ? optional(v.label, "*interface {}", "Label", toAny) : undefined;
    s.propargs = optional(v.propargs, "*map[string]interface {}", "Propargs", toPropargs);
    s.required = optional(v.required, "*bool", "Required", toBool);
    s.subtype = optional(v.subtype, "*api.AvailableJobSettingSubtype", "Subtype", toGoString);
    s.type = toGoString(v.type);
    s.visible = optional(v.visible, "*api.AvailableJobSettingVisibility", "Visible", toGoString);
    return s;
  }
  function toJobType(v) {
    if (isNil(v)) return { label: "", settings: null };
    if (!isObject(v)) throw bad(noConversion(v, "api.AvailableJobType"));
    const description = optional(v.description, "*string", "Description", toGoString);
    const label = toGoString(v.label);
    const settings = isNil(v.settings) ? null : optional(v.settings, "[]api.AvailableJobSetting", "Settings",
      (list) => goList(list, "[]api.AvailableJobSetting", toSetting));
    return { description, label, settings };
  }
  const SETTING_FIELDS = ["choices", "default", "description", "editable", "eval", "evalInfo", "key", "label", "propargs",
    "required", "subtype", "type", "visible"];
  function settingJson(s) {
    const parts = [];
    for (let i = 0; i < SETTING_FIELDS.length; i += 1) {
      const field = SETTING_FIELDS[i];
      const value = s[field];
      if (value === undefined) continue;
      if (field === "evalInfo") {
        push(parts, '"evalInfo":{"description":' + jsonString(value.description) + ',"showLinkButton":' + value.showLinkButton + "}");
      } else push(parts, '"' + field + '":' + goJson(value, 0, new Path()));
    }
    return "{" + join(parts, ",") + "}";
  }
  /** The canonical text whose SHA-1 is the etag. */
  function jobTypeJson(type, name) {
    let settings = "null";
    if (type.settings !== null) {
      const parts = [];
      for (let i = 0; i < type.settings.length; i += 1) parts[i] = settingJson(type.settings[i]);
      settings = "[" + join(parts, ",") + "]";
    }
    return "{" + (type.description === undefined ? "" : '"description":' + jsonString(type.description) + ",")
      + '"etag":"","label":' + jsonString(type.label) + ',"name":' + jsonString(name) + ',"settings":' + settings + "}";
  }
  let declared = null;               // keys of the settings JOB_TYPE declares
  function jobType(value, exists) {
    const file = config.script;
    if (!exists) return stringify({ error: { kind: "incomplete", message: `script (${file}) does not define a JOB_TYPE object` } });
    let type;
    try { type = toJobType(value); } catch (e) {
      if (e instanceof Incomplete) {
        return stringify({ error: { kind: "incomplete", message: `script (${file}) does not define a proper JOB_TYPE object: ${e.message}` } });
      }
      return stringify({ panic: panicText || "a getter of JOB_TYPE threw: " + attempt(valueText, e) });
    }
    declared = [];
    if (type.settings !== null) for (let i = 0; i < type.settings.length; i += 1) push(declared, type.settings[i].key);
    try { return stringify({ json: jobTypeJson(type, config.job_type) }); } catch (e) {
      return stringify({ error: { kind: "incomplete", message: e instanceof JsonFailure ? e.message : "json: unsupported value: encountered a cycle via map[string]interface {}" } });
    }
  }

  // ------------------------------------------------------------------ version and globals
  let features = { steps: true, frameCount: true, shellSplit: true, label: true };
  const has = (name) => features[name];

  function say(level) {
    return function print(...args) {
      let text = "";
      for (let i = 0; i < args.length; i += 1) text += (i ? " " : "") + valueText(args[i]);
      printedChars += text.length + 1;
      if (prints.length < 10000 && printedChars < 4000000) push(prints, { level, text: text.length > 100000 ? substring(text, 0, 100000) : text });
    };
  }
  const plainFunction = (f) => ({ f }).f;

  function installGlobals() {
    const define = (target, name, value) => defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
    const hidden = (name, value) => defineProperty(G, name, { value, writable: true, enumerable: false, configurable: true });
    const author = {};
    define(author, "Task", goFunction("func(string, string) (*job_compilers.AuthoredTask, error)", { Task: (n, t) => authorTask(n, t) }.Task));
    define(author, "Command", goFunction("func(string, job_compilers.AuthoredCommandParameters, int) (*job_compilers.AuthoredCommand, error)",
      { Command: (n, p, s) => authorCommand(n, p, s) }.Command));
    const path = {};
    const oneString = "func(string) string";
    define(path, "basename", goFunction(oneString, (p) => baseName(toGoString(p))));
    define(path, "dirname", goFunction(oneString, (p) => dirName(toGoString(p))));
    define(path, "join", goFunction("func(...string) string", (...parts) => joinPath(parts)));
    define(path, "stem", goFunction(oneString, (p) => stemName(toGoString(p))));
    const processObject = {};
    define(processObject, "cwd", goFunction("func() (string, error)", () => config.cwd));
    define(processObject, "platform", config.platform);
    const globals = { author, path, process: processObject };
    for (const name of objectKeys(globals)) define(G, name, globals[name]);
    define(G, "print", say("info"));
    define(G, "alert", say("warn"));
    define(G, "frameChunker", goFunction("func(string, int) ([]string, error)", (r, n) => frameChunker(r, n)));
    define(G, "formatTimestampLocal", goFunction("func(time.Time) string", (t) => formatTimestampLocal(t)));
    if (has("frameCount")) define(G, "frameCount", goFunction("func(string) (int, error)", (r) => frameCount(r)));
    if (has("shellSplit")) define(G, "shellSplit", goFunction("func(string) ([]string, error)", (s) => shellSplit(s)));
    define(G, "require", makeRequire("."));
    hidden("GoError", GoError);
    coreModules.author = author; coreModules.path = path; coreModules.process = processObject;
  }

  // ------------------------------------------------------------------ require
  const coreModules = { __proto__: null };
  const moduleCache = new Map();
  function makeRequire(dir) {
    return plainFunction((name) => requireModule(dir, toGoString(name)));
  }
  function requireModule(dir, name) {
    if (coreModules[name] !== undefined && !startsWith(name, ".")) return coreModules[name];
    const relative = startsWith(name, "./") || startsWith(name, "../") || name === "." || name === "..";
    if (startsWith(name, "/")) throw new GoError(`failed to open file ${name}: open ${name}: invalid argument`);
    if (!relative) throw new GoError("Invalid module");
    const base = cleanPath(dir + "/" + name);
    if (startsWith(base, "..")) throw new GoError(`failed to open file ${base}: open ${base}: invalid argument`);
    const tries = [base, base + ".js", base + ".json", base + "/index.js", base + "/index.json"];
    for (let i = 0; i < tries.length; i += 1) {
      const file = tries[i];
      const known = mapGet(moduleCache, file);
      if (known !== undefined) return known.exports;
      if (hasOwn(config.files, file)) return loadModule(file, config.files[file]);
    }
    throw new GoError("Invalid module");
  }
  const usedModules = [];
  function loadModule(file, source) {
    const module = { exports: {} };
    mapSet(moduleCache, file, module);
    push(usedModules, file);
    if (file.length > 5 && substring(file, file.length - 5) === ".json") {
      module.exports = parseJson(source);
      return module.exports;
    }
    const wrapper = indirectEval("(function(exports, require, module) {" + source + "\n})\n//# sourceURL=sbm" + usedModules.length + ".js");
    wrapper.call(module.exports, module.exports, makeRequire(dirName(file)), module);
    return module.exports;
  }
  const indirectEval = G.eval;

  // ------------------------------------------------------------------ what the Manager's engine does not have
  const KEEP = {
    "": "Object Function Array String globalThis NaN undefined Infinity isNaN parseInt parseFloat isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape Number RegExp Date Boolean Proxy Reflect Error AggregateError TypeError ReferenceError SyntaxError RangeError EvalError URIError eval Math JSON ArrayBuffer DataView Uint8Array Uint8ClampedArray Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Symbol WeakSet WeakMap Map Set Promise",
    "Object": "assign defineProperty defineProperties entries getOwnPropertyDescriptor getOwnPropertyDescriptors getPrototypeOf is getOwnPropertyNames getOwnPropertySymbols create seal freeze preventExtensions isSealed isFrozen isExtensible keys setPrototypeOf values fromEntries hasOwn",
    "Object.prototype": "toString toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable __proto__",
    "Function.prototype": "apply bind call toString",
    "Array": "from isArray of",
    "Array.prototype": "at concat copyWithin entries every fill filter find findIndex findLast findLastIndex flat flatMap forEach includes indexOf join keys lastIndexOf map pop push reduce reduceRight reverse shift slice some sort splice toLocaleString toString unshift values",
    "String": "fromCharCode fromCodePoint raw",
    "String.prototype": "at charAt charCodeAt codePointAt concat endsWith includes indexOf lastIndexOf localeCompare match matchAll normalize padEnd padStart repeat replace replaceAll search slice split startsWith substring toLocaleLowerCase toLocaleUpperCase toLowerCase toString toUpperCase trim trimEnd trimStart trimRight trimLeft valueOf substr",
    "Number": "EPSILON isFinite isInteger isNaN isSafeInteger MAX_SAFE_INTEGER MIN_SAFE_INTEGER MIN_VALUE MAX_VALUE NaN NEGATIVE_INFINITY POSITIVE_INFINITY parseFloat parseInt",
    "Math": "E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos acosh asin asinh atan atanh atan2 cbrt ceil clz32 cos cosh exp expm1 floor fround hypot imul log log1p log10 log2 max min pow random round sign sin sinh sqrt tan tanh trunc",
    "JSON": "parse stringify",
    "RegExp": "",
    "RegExp.prototype": "compile exec test toString source global multiline dotAll ignoreCase unicode sticky flags",
    "Date": "UTC parse now",
    "Map": "", "Map.prototype": "clear delete forEach has get set size keys values entries",
    "Set": "", "Set.prototype": "add clear delete forEach has size entries keys values",
    "WeakMap": "", "WeakMap.prototype": "delete has get set",
    "WeakSet": "", "WeakSet.prototype": "add delete has",
    "Promise": "all allSettled any race reject resolve", "Promise.prototype": "then catch finally",
    "Reflect": "apply construct defineProperty deleteProperty get getOwnPropertyDescriptor getPrototypeOf has isExtensible ownKeys preventExtensions set setPrototypeOf",
    "Symbol": "for keyFor",
    "ArrayBuffer": "isView", "ArrayBuffer.prototype": "byteLength slice",
    "DataView.prototype": "buffer byteLength byteOffset getFloat32 getFloat64 getInt8 getInt16 getInt32 getUint8 getUint16 getUint32 setFloat32 setFloat64 setInt8 setInt16 setInt32 setUint8 setUint16 setUint32",
    "Error": "stackTraceLimit",
  };
  const TYPED_KEEP = "buffer byteLength byteOffset length at copyWithin entries every fill filter find findIndex findLast findLastIndex forEach includes indexOf join keys lastIndexOf map reduce reduceRight reverse set slice some sort subarray toLocaleString toString values";

  function stripTo(object, words) {
    const keep = new Set(split(words, " "));
    const names = ownKeys(object);
    for (let i = 0; i < names.length; i += 1) {
      const name = names[i];
      if (typeof name === "symbol" || setHas(keep, name) || name === "constructor" || name === "prototype" || name === "length" || name === "name") continue;
      deleteProperty(object, name);
    }
  }
  function takeAway() {
    const iterator = protoOf(protoOf([][RealSymbol.iterator]()));
    stripTo(iterator, "");
    deleteProperty(iterator, "constructor");
    deleteProperty(iterator, RealSymbol.toStringTag);
    if (RealSymbol.dispose) deleteProperty(iterator, RealSymbol.dispose);
    for (const place of objectKeys(KEEP)) {
      if (place === "" || place === "Symbol") continue;
      const dot = indexOf(place, ".");
      const holder = dot < 0 ? G[place] : G[substring(place, 0, dot)].prototype;
      stripTo(holder, KEEP[place]);
    }
    stripTo(TypedArray, "from of");
    stripTo(TypedArray.prototype, TYPED_KEEP);
    stripTo(Uint8Array, "BYTES_PER_ELEMENT");
    stripTo(Uint8Array.prototype, "BYTES_PER_ELEMENT");
    const wanted = new Set(split(KEEP[""], " "));
    const names = ownKeys(G);
    for (let i = 0; i < names.length; i += 1) {
      if (setHas(wanted, names[i]) || deleteProperty(G, names[i])) continue;
      const left = ownDesc(G, names[i]);
      if (left !== undefined && left.writable) G[names[i]] = undefined;
    }
    replaceSymbol();
    replaceProxy();
    replaceDate();
  }
  function hide(name, value) { defineProperty(G, name, { value, writable: true, enumerable: false, configurable: true }); }
  function replaceSymbol() {
    // Symbol.asyncIterator cannot be deleted from the real one.
    function symbol(description) {
      if (new.target) throw new TypeError("Symbol is not a constructor");
      return RealSymbol(description);
    }
    defineProperty(symbol, "name", { value: "Symbol" });
    for (const name of ["hasInstance", "isConcatSpreadable", "iterator", "match", "matchAll", "replace", "search", "species",
      "split", "toPrimitive", "toStringTag", "unscopables"]) defineProperty(symbol, name, { value: RealSymbol[name] });
    for (const name of ["for", "keyFor"]) defineProperty(symbol, name, { value: RealSymbol[name], writable: true, configurable: true });
    symbol.prototype = RealSymbol.prototype;
    defineProperty(RealSymbol.prototype, "constructor", { value: symbol, writable: true, configurable: true });
    hide("Symbol", symbol);
  }
  function replaceProxy() {
    function proxy(target, handler) {
      if (!new.target) throw new TypeError("Constructor Proxy requires 'new'");
      const made = new RealProxy(target, handler);
      weakAdd(userProxies, made);
      userProxyMade = true;
      return made;
    }
    defineProperty(proxy, "name", { value: "Proxy" });
    deleteProperty(proxy, "prototype");
    defineProperty(proxy, "revocable", { writable: true, configurable: true, value: (target, handler) => {
      const pair = RealProxy.revocable(target, handler);
      weakAdd(userProxies, pair.proxy);
      userProxyMade = true;
      return pair;
    } });
    hide("Proxy", proxy);
  }
  function replaceDate() {
    const text = (ms, layout) => (ms === ms ? formatTime(timeFromMs(ms, localZone), layout) : "Invalid Date");
    const WHOLE = "Mon Jan 02 2006 15:04:05 GMT-0700 (MST)";
    function date(...args) {
      if (!new.target) return text(RealDate.now(), WHOLE);
      if (args.length === 1 && typeof args[0] !== "number") {
        let value = args[0];
        if (isObject(value)) {
          const ms = behind(value) === undefined && !weakHas(userProxies, value) ? attempt(dateTime, value) : undefined;
          if (ms !== undefined) return construct(RealDate, [ms], new.target);
          const exotic = value[RealSymbol.toPrimitive];
          value = exotic === undefined ? primitive(value) : exotic.call(value, "default");
        }
        if (typeof value === "string") { const ms = parseDateText(value); return construct(RealDate, [ms === undefined ? NaN : ms], new.target); }
        return construct(RealDate, [+value], new.target);
      }
      return construct(RealDate, args, new.target);
    }
    function primitive(value) {
      const first = value.valueOf();
      return isObject(first) ? value.toString() : first;
    }
    defineProperty(date, "name", { value: "Date" });
    defineProperty(date, "length", { value: 7 });
    const method = (holder, name, value) => defineProperty(holder, name, { value, writable: true, enumerable: false, configurable: true });
    method(date, "now", RealDate.now);
    method(date, "UTC", RealDate.UTC);
    method(date, "parse", plainFunction((value) => { const ms = parseDateText(String(value)); return ms === undefined ? NaN : ms; }));
    defineProperty(date, "prototype", { value: RealDate.prototype, writable: false });
    const proto = RealDate.prototype;
    method(proto, "constructor", date);
    const shown = { toString: WHOLE, toTimeString: "15:04:05 GMT-0700 (MST)", toLocaleString: "01/02/2006, 15:04:05",
      toLocaleDateString: "01/02/2006", toLocaleTimeString: "15:04:05" };
    for (const name of objectKeys(shown)) method(proto, name, { [name]() { return text(dateTime(this), shown[name]); } }[name]);
    hide("Date", date);
    const numbers = G.Number.prototype;
    method(numbers, "toLocaleString", { toLocaleString() { return numToString(this); } }.toLocaleString);
  }
  /** Differences that cost speed are only installed for scripts whose text hints at them. */
  function installQuirks(quirks) {
    if (quirks.cause) {
      for (const name of ["Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError"]) {
        const Real = G[name];
        const fake = { [name]: function (message) {
          return construct(Real, message === undefined ? [] : [message], new.target || fake);
        } }[name];
        defineProperty(fake, "prototype", { value: Real.prototype, writable: false });
        if (name === "Error") defineProperty(fake, "stackTraceLimit", { get: () => Real.stackTraceLimit, set: (v) => { Real.stackTraceLimit = v; } });
        defineProperty(Real.prototype, "constructor", { value: fake, writable: true, configurable: true });
        hide(name, fake);
      }
    }
    if (quirks.named_groups) {
      const realExec = RegExp.prototype.exec;
      const call = uncurry(realExec);
      defineProperty(RegExp.prototype, "exec", { writable: true, configurable: true, value: { exec(text) {
        const found = call(this, text);
        if (found !== null) found.groups = undefined;
        return found;
      } }.exec });
    }
    if (quirks.unicode_properties) {
      // \p{...} compiles in the Manager's engine and never matches.
      const source = uncurry(ownDesc(RegExp.prototype, "source").get);
      const call = uncurry(RegExp.prototype.exec);
      defineProperty(RegExp.prototype, "exec", { writable: true, configurable: true, value: { exec(text) {
        const pattern = source(this);
        if (indexOf(pattern, "\\p{") >= 0 || indexOf(pattern, "\\P{") >= 0) return null;
        return call(this, text);
      } }.exec });
    }
  }

  // ------------------------------------------------------------------ control: called by the compiler only
  let started = 0;
  /** Prepare one compilation. The argument is a JSON text. */
  function begin(text) {
    config = parseJson(text);
    features = config.features;
    config.files = nullProto(config.files);
    localZone = config.zone;
    const given = config.job;
    job = {
      k: JOB, jobID: config.job_id, workerTagUUID: given.worker_tag, name: given.name, jobType: given.type,
      priority: given.priority, status: "under-construction", created: time(config.created[0], config.created[1], localZone),
      settings: nullProto(given.settings), metadata: nullProto(given.metadata),
      storage: { k: STORAGE, shamanCheckoutID: given.shaman, p: null }, tasks: new Slice([], 0, 0, "task"), p: null,
    };
    jobProxy = structProxy(job, jobTraps);
    G.Error.stackTraceLimit = 30;
    installGlobals();
    installQuirks(config.quirks);
    started = hrNow();
    return "1";
  }
  function nullProto(value) {
    if (isArray(value)) { for (let i = 0; i < value.length; i += 1) value[i] = nullProto(value[i]); return value; }
    if (typeof value !== "object" || value === null) return value;
    const out = { __proto__: null };
    const keys = objectKeys(value);
    for (let i = 0; i < keys.length; i += 1) out[keys[i]] = nullProto(value[keys[i]]);
    return out;
  }
  function compile(f) {
    if (typeof f !== "function") return stringify({ error: { kind: "incomplete", message: `script (${config.script}) does not define a compileJob(job) function` } });
    reflectApply(f, undefined, [jobProxy]);
    return "{}";
  }
  const reflectApply = Reflect.apply;

  /** After the microtasks have run: everything but the tasks. */
  function finish() {
    // A toJSON planted on a shared prototype must not change what is reported.
    deleteProperty(ObjProto, "toJSON");
    deleteProperty(ArrProto, "toJSON");
    if ("toJSON" in ObjProto || "toJSON" in ArrProto) tainted = true;
    if (hang !== null) return stringify({ hang, prints, panic: panicText });
    const settings = tryJson(job.settings, "job_compilers.JobSettings");
    const metadata = tryJson(job.metadata);
    const head = {
      job: { name: job.name, type: job.jobType, priority: job.priority, worker_tag: job.workerTagUUID, shaman: job.storage.shamanCheckoutID },
      settings: settings.text, settings_error: settings.error, metadata: metadata.text, prints, panic: panicText,
      modules: usedModules, declared, made: made.length,
    };
    const scan = scanTasks();
    head.store_error = settings.error || scan.store_error;
    head.null_dependency = scan.null_dependency;
    head.summary = scan.summary;
    head.findings = scan.findings;
    head.events = events;
    head.too_deep = tooDeep;
    head.milliseconds = hrNow() - started;
    return stringify(head);
  }
  let storedEdges = null;            // per task: indices of dependencies the Manager stores
  let lostEdges = null;              // task index -> names of dependencies it loses

  function scanTasks() {
    const { a, n } = job.tasks;
    const bySerial = [], byText = new Map();
    const findings = [];
    const note = (code, data) => { if (findings.length < 200) { data.code = code; push(findings, data); } };
    let storeError = "";
    for (let i = 0; i < n; i += 1) {
      const id = a[i].id;
      const known = typeof id === "number" ? bySerial[id] : mapGet(byText, id);
      if (known !== undefined) {
        storeError = storeError || "UNIQUE constraint failed: tasks.uuid";
        note("duplicate-task", { index: i, task: a[i].name, at: a[i].at });
      } else if (typeof id === "number") bySerial[id] = i;
      else mapSet(byText, id, i);
    }
    const byType = { __proto__: null }, byCommand = { __proto__: null };
    let edges = 0, lost = 0, steps = 0, stopped = false, nullDependency = false;
    storedEdges = []; lostEdges = new Map();
    const stamp = new Uint32Array(n);
    for (let i = 0; i < n; i += 1) {
      const t = a[i];
      byType[t.type] = (byType[t.type] || 0) + 1;
      const commands = t.commands;
      for (let j = 0; j < commands.n; j += 1) {
        const c = commands.a[j];
        byCommand[c.name] = (byCommand[c.name] || 0) + 1;
        steps += c.totalStepCount > 0 ? c.totalStepCount : 1;
        if (tainted && storeError === "") { const json = tryJson(c.parameters, "job_compilers.AuthoredCommandParameters"); if (json.error) storeError = json.error; }
      }
      const list = [];
      const dependencies = t.dependencies;
      for (let j = 0; j < dependencies.n; j += 1) {
        const d = dependencies.a[j];
        if (d === null) {
          if (!stopped) nullDependency = true;
          stopped = true;
          note("null-dependency", { index: i, task: t.name, place: j });
          continue;
        }
        const target = typeof d.id === "number" ? bySerial[d.id] : mapGet(byText, d.id);
        if (target === undefined || stopped) {
          if (target === undefined) note("dependency-not-added", { index: i, task: t.name, dependency: d.name, place: j, at: d.at });
          else note("dependency-lost", { index: i, task: t.name, dependency: d.name, place: j });
          stopped = true;
          lost += 1;
          const names = mapGet(lostEdges, i) || [];
          push(names, d.name);
          mapSet(lostEdges, i, names);
          continue;
        }
        if (stamp[target] === i + 1) {
          storeError = storeError || "UNIQUE constraint failed: task_dependencies.task_id, task_dependencies.dependency_id";
          note("duplicate-dependency", { index: i, task: t.name, dependency: d.name, place: j });
        }
        stamp[target] = i + 1;
        push(list, target);
        edges += 1;
      }
      storedEdges[i] = list;
    }
    findCycle(n, a, note);
    const unadded = neverAdded((id) => (typeof id === "number" ? bySerial[id] !== undefined : mapHas(byText, id)));
    if (unadded.total > 0) note("task-not-added", unadded);
    return { store_error: storeError, null_dependency: nullDependency, findings,
      summary: { tasks: n, by_type: byType, commands: byCommand, dependencies: edges, lost_dependencies: lost, steps } };
  }
  /**
   * Tasks that were made and are not in the job: how many, and of the first of them [place among the made ones, name].
   * One that was added and taken away again is meant so.
   */
  function neverAdded(inJob) {
    const tasks = [];
    let total = 0;
    for (let i = 0; i < made.length; i += 1) {
      const t = made[i];
      if (t.added || inJob(t.id)) continue;
      total += 1;
      if (total <= 5000) push(tasks, [i, t.name]);
    }
    return { tasks, total };
  }
  function findCycle(n, a, note) {
    const state = new Uint8Array(n);
    for (let root = 0; root < n; root += 1) {
      if (state[root] !== 0) continue;
      const stack = [root], next = [0];
      state[root] = 1;
      while (stack.length > 0) {
        const top = stack.length - 1;
        const node = stack[top];
        const list = storedEdges[node];
        if (next[top] >= list.length) { state[node] = 2; stack.length = top; next.length = top; continue; }
        const target = list[next[top]];
        next[top] += 1;
        if (state[target] === 1) {
          const names = [];
          for (let i = stack.length - 1; i >= 0; i -= 1) { push(names, a[stack[i]].name); if (stack[i] === target || names.length > 8) break; }
          note("cycle", { index: node, task: a[node].name, names, place: placeOf(a[node], a[target].id) });
          return;
        }
        if (state[target] === 0) { state[target] = 1; push(stack, target); push(next, 0); }
      }
    }
  }

  /** Which of a task's dependencies is on the task of that identity. */
  function placeOf(task, id) {
    const { a, n } = task.dependencies;
    for (let j = 0; j < n; j += 1) if (a[j] !== null && a[j].id === id) return j;
    return -1;
  }

  /** Tasks [start, end) as a JSON array. */
  function page(start, end) {
    const { a, n } = job.tasks;
    const last = end < n ? end : n;
    if (tainted) return slowPage(start, last);
    const out = [];
    for (let i = start; i < last; i += 1) {
      const t = a[i];
      const commands = [];
      for (let j = 0; j < t.commands.n; j += 1) {
        const c = t.commands.a[j];
        commands[j] = { name: c.name, parameters: c.parameters === null ? EMPTY : c.parameters, total_step_count: c.totalStepCount };
      }
      const lost = mapGet(lostEdges, i);
      out[out.length] = lost === undefined
        ? { name: t.name, type: t.type, priority: t.priority, commands, dependencies: storedEdges[i] }
        : { name: t.name, type: t.type, priority: t.priority, commands, dependencies: storedEdges[i], lost_dependencies: lost };
    }
    try { return stringify(out); } catch {
      tainted = true;                 // a cycle made by assignment, or nested too deeply: say where
      return slowPage(start, last);
    }
  }
  const EMPTY = {};
  function slowPage(start, last) {
    const { a } = job.tasks;
    const parts = [];
    for (let i = start; i < last; i += 1) {
      const t = a[i];
      const commands = [];
      for (let j = 0; j < t.commands.n; j += 1) {
        const c = t.commands.a[j];
        const json = c.parameters === null ? { text: "{}" } : tryJson(c.parameters, "job_compilers.AuthoredCommandParameters");
        const value = json.error === undefined ? '"parameters":' + json.text : '"parameters_error":' + jsonString(json.error);
        commands[j] = '{"name":' + jsonString(c.name) + "," + value + ',"total_step_count":' + c.totalStepCount + "}";
      }
      const lost = mapGet(lostEdges, i);
      const lostText = lost === undefined ? "" : ',"lost_dependencies":' + listJson(lost, lost.length, 0, new Path());
      parts[parts.length] = '{"name":' + jsonString(t.name) + ',"type":' + jsonString(t.type) + ',"priority":' + t.priority
        + ',"commands":[' + join(commands, ",") + '],"dependencies":[' + join(storedEdges[i], ",") + "]" + lostText + "}";
    }
    return "[" + join(parts, ",") + "]";
  }
  /** The distinct shapes of commands: name and kinds of parameters, for the check against what Workers accept. */
  function commandShapes() {
    const { a, n } = job.tasks;
    const seen = new Set(), shapes = [];
    for (let i = 0; i < n && shapes.length < 100; i += 1) {
      const commands = a[i].commands;
      for (let j = 0; j < commands.n; j += 1) {
        const c = commands.a[j];
        const kinds = { __proto__: null };
        let text = c.name;
        const keys = c.parameters === null ? [] : objectKeys(c.parameters);
        for (let q = 0; q < keys.length && q < 100; q += 1) {
          const kind = kindOf(c.parameters[keys[q]]);
          kinds[keys[q]] = kind;
          text += "\u0000" + keys[q] + "\u0000" + kind;
        }
        if (setHas(seen, text)) continue;
        setAdd(seen, text);
        push(shapes, { name: c.name, kinds });
      }
    }
    return stringify(shapes);
  }
  function kindOf(v) {
    if (v === null) return "null";
    if (v === "" || v === 0) return "empty";
    if (isArray(v)) return "list";
    return typeof v === "object" ? "object" : typeof v;
  }
  /** Names, types and dependencies of all tasks. */
  function columns() {
    const { a, n } = job.tasks;
    const names = [], types = [];
    for (let i = 0; i < n; i += 1) { names[i] = a[i].name; types[i] = a[i].type; }
    return "[" + listJson(names, n, 0, new Path()) + "," + listJson(types, n, 0, new Path()) + "," + stringify(storedEdges) + "]";
  }
  /** Where tasks and dependencies were made: only filled in a traced run. */
  function places() {
    const out = { tasks: [], dependencies: [], made: [] };
    const { a, n } = job.tasks;
    for (let i = 0; i < n && i < 5000; i += 1) out.tasks[i] = a[i].at;
    for (let i = 0; i < made.length && i < 5000; i += 1) out.made[i] = made[i].at;
    for (let i = 0; i < dependencyPlaces.length && i < 5000; i += 1) {
      const p = dependencyPlaces[i];
      out.dependencies[i] = [p.task.name, p.index, p.stack];
    }
    return stringify(out);
  }
  /** A scratch expression, as the Manager would export its value. */
  function expression(source) {
    const value = indirectEval('"use strict";\n' + source + "\n//# sourceURL=sb0.js");
    const exported = exportValue(value, null);
    const json = tryJson(exported);
    return stringify(json.error === undefined ? { value: json.text } : { error: json.error });
  }
  function state() { return stringify({ hang, panic: panicText, prints, modules: usedModules, events, plain_stack: plainStack, tasks: job === null ? 0 : job.tasks.n, milliseconds: started ? hrNow() - started : 0 }); }

  /** Whether reading a name throws: it was never declared. */
  function undeclared(read) { try { read(); return false; } catch { return true; } }

  takeAway();
  return { undeclared, commandShapes, begin, jobType, compile, finish, page, columns, places, expression, state };
})
