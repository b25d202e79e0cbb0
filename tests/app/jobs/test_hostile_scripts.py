"""Scripts that mean harm, each by a mechanism of its own: the panel's process survives, each gets its message."""

# ruff: noqa: E501 - each script is one line of the table
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs.compiler import CompilerPool
from app.jobs.model import CompileRequest, Limits

HEAD = 'const JOB_TYPE={label:"T",settings:[]};\n'
GOOD = HEAD + 'function compileJob(job){job.addTask(author.Task("a","misc"))}'


def in_job(body: str) -> str:
    """A script whose compileJob has this body."""
    return HEAD + "function compileJob(job){\n" + body + "\n}"


def with_parameter(expression: str) -> str:
    return in_job(
        f'const t=author.Task("a","misc");t.addCommand(author.Command("echo",{{message:{expression}}}));job.addTask(t)'
    )


HANGS = "manager_hangs"
# mechanism -> (script, outcomes that are right, a word of the message)
HOSTILE: dict[str, tuple[str, tuple[str, ...], str]] = {
    # loops
    "loop-at-top-level": (HEAD + "for(;;){}", (HANGS,), "hang"),
    "loop-in-compile-job": (in_job("for(;;){}"), (HANGS,), "hang"),
    "loop-in-a-getter-of-job-type": ("const JOB_TYPE={label:'x',get settings(){for(;;){}}};function compileJob(){}", (HANGS,), "hang"),
    "loop-in-a-getter-of-a-parameter": (with_parameter("{get a(){for(;;){}}}"), (HANGS,), "hang"),
    "loop-in-to-string": (in_job("author.Task({toString(){for(;;){}}},'misc')"), (HANGS,), "hang"),
    "loop-in-value-of": (in_job("author.Task('a','b').priority={valueOf(){for(;;){}}}"), (HANGS,), "hang"),
    "loop-in-symbol-to-primitive": (in_job("`${{[Symbol.toPrimitive](){for(;;){}}}}`"), (HANGS,), "hang"),
    "loop-in-a-proxy-get-trap": (in_job("new Proxy({},{get(){for(;;){}}}).x"), (HANGS,), "hang"),
    "loop-in-a-proxy-own-keys-trap": (in_job("author.Command('x',new Proxy({},{ownKeys(){for(;;){}}}))"), (HANGS,), "hang"),
    "loop-in-an-iterator": (in_job("job.tasks=({*[Symbol.iterator](){for(;;)yield author.Task('a','b')}})"), (HANGS,), "hang"),
    "loop-in-a-microtask": (in_job("Promise.resolve().then(function f(){for(;;){}})"), (HANGS,), "hang"),
    "endless-promise-chain": (in_job("(function f(){return Promise.resolve().then(f)})()"), (HANGS,), "hang"),
    "endless-await": (HEAD + "async function compileJob(job){for(;;)await null}", (HANGS,), "hang"),
    "loop-in-a-generator-argument": (in_job("[...(function*(){for(;;)yield 1})()]"), (HANGS,), "hang"),
    "loop-in-a-sort-comparator": (in_job("[1,2].sort(()=>{for(;;){}})"), (HANGS,), "hang"),
    "loop-in-a-json-reviver": (in_job("JSON.parse('[1]',()=>{for(;;){}})"), (HANGS,), "hang"),
    "loop-in-a-class-static-block": (HEAD + "class A{static{for(;;){}}}\nfunction compileJob(){}", (HANGS,), "hang"),
    "loop-in-a-thrown-errors-to-string": (in_job("throw {toString(){for(;;){}}}"), (HANGS,), "hang"),
    "loop-that-catches-everything": (in_job("for(;;){try{for(;;){}}catch(e){}finally{continue}}"), (HANGS,), "hang"),
    "loop-in-eval": (in_job("eval('for(;;){}')"), (HANGS,), "hang"),
    "loop-in-new-function": (in_job("new Function('for(;;){}')()"), (HANGS,), "hang"),
    # recursion
    "recursion-of-a-function": (in_job("(function f(){f()})()"), (HANGS,), "hang"),
    "recursion-through-a-getter": (in_job("const o={get a(){return this.a}};o.a"), (HANGS,), "hang"),
    "recursion-through-to-string": (in_job("const o={toString(){return ''+this}};''+o"), (HANGS,), "hang"),
    "recursion-through-a-proxy": (in_job("const p=new Proxy({},{get(t,k,r){return r[k]}});p.x"), (HANGS,), "hang"),
    # memory
    "array-fill-of-a-billion": (in_job("new Array(1e9).fill(0)"), (HANGS,), "hang"),
    "array-that-grows": (in_job("const a=[];for(;;)a.push('x'+a.length)"), (HANGS,), "hang"),
    "map-that-grows": (in_job("const m=new Map();for(let i=0;;i++)m.set(i,{i})"), (HANGS,), "hang"),
    "set-that-grows": (in_job("const s=new Set();for(let i=0;;i++)s.add('k'+i)"), (HANGS,), "hang"),
    "object-that-grows": (in_job("const o={};for(let i=0;;i++)o['k'+i]=i"), (HANGS,), "hang"),
    "typed-array-bomb": (in_job("const a=[];for(;;)a.push(new Uint8Array(1e8).fill(1))"), (HANGS, "error"), ""),
    "array-buffer-bomb": (in_job("const a=[];for(;;){const b=new ArrayBuffer(5e8);new Uint8Array(b).fill(7);a.push(b)}"), (HANGS, "error"), ""),
    "string-doubling": (in_job("let s='x';for(;;)s+=s"), (HANGS, "error"), ""),
    "string-split-into-half-a-billion": (in_job("'x'.repeat(5e8).split('')"), (HANGS, "error"), ""),
    "array-join-bomb": (in_job("new Array(5e8).join('ab')"), (HANGS, "error"), ""),
    "closure-chain": (in_job("let f=()=>0;for(;;){const g=f;f=()=>g}"), (HANGS,), "hang"),
    "tasks-without-end": (in_job("for(;;)job.addTask(author.Task('a','b'))"), (HANGS,), "hang"),
    "length-of-a-go-slice": (in_job("frameChunker('1-3',1).length=4e9"), (HANGS, "error"), "hang"),
    # frames
    "frames-two-hundred-million": (in_job("frameChunker('1-200000000',1)"), (HANGS,), "frames"),
    "frames-caught-by-the-script": (in_job("try{frameCount('1-9000000000')}catch(e){}"), (HANGS,), "frames"),
    # regular expressions
    "regex-backtracking": (in_job("/^(a+)+$/.test('a'.repeat(40)+'b')"), (HANGS,), "hang"),
    "regex-on-a-huge-string": (in_job("/(x+x+)+y/.test('x'.repeat(5000))"), (HANGS,), "hang"),
    # odd values
    "big-int": (in_job("job.settings.x=BigInt(1)"), ("error",), "BigInt"),
    "lone-surrogate-result": (HEAD + "function compileJob(job){job.settings.x='\\ud800'};'\\ud800'", ("ok",), ""),
    "thrown-lone-surrogate": (HEAD + "throw '\\ud800'", ("error",), ""),
    "thrown-null": (in_job("throw null"), ("error",), "null"),
    "thrown-symbol": (in_job("throw Symbol('odd')"), ("error",), ""),
    "thrown-object-with-throwing-to-string": (in_job("throw {toString(){throw 5}}"), ("error",), ""),
    "thrown-proxy": (in_job("throw new Proxy({},{get(){throw 1}})"), ("error",), ""),
    "thrown-error-with-poisoned-stack": (in_job("const e=new Error('p');Object.defineProperty(e,'stack',{get(){throw 1}});throw e"), ("error",), "p"),
    "thrown-megabytes": (in_job("throw 'x'.repeat(2e7)"), ("error",), "x"),
    # size
    "result-of-fifty-megabytes": (with_parameter("'x'.repeat(5e7)"), ("ok",), ""),
    "result-of-gigabytes": (in_job("const s='y'.repeat(1e8);for(let i=0;i<9;i++){const t=author.Task('a','misc');t.addCommand(author.Command('echo',{message:s+i}));job.addTask(t)}"), (HANGS,), ""),
    "a-million-keys": (with_parameter("Object.fromEntries(Array.from({length:1e6},(_,i)=>['k'+i,i]))"), ("ok", HANGS), ""),
    "depth-of-a-hundred-thousand": (in_job("let o={};for(let i=0;i<1e5;i++)o={o};job.settings.o=o"), ("error", HANGS), ""),
    "depth-of-arrays": (with_parameter("(()=>{let a=[];for(let i=0;i<5000;i++)a=[a];return a})()"), ("ok", "error", HANGS), ""),
    "cycle-in-a-parameter": (with_parameter("(()=>{const o={};o.o=o;return o})()"), ("store_error",), "cycle"),
    "prints-without-end": (in_job("for(;;)print('x'.repeat(1000))"), (HANGS,), "hang"),
    # tampering
    "object-prototype-to-json": (in_job("Object.prototype.toJSON=()=>'gone';" + 'job.addTask(author.Task("a","misc"))'), ("ok",), ""),
    "array-prototype-setter": (in_job("Object.defineProperty(Array.prototype,0,{set(){throw new Error('spoiled')},configurable:true});job.addTask(author.Task('a','misc'))"), ("ok", "error"), ""),
    "json-replaced": (HEAD + "JSON.stringify=()=>{throw 1};globalThis.JSON=null;function compileJob(job){job.addTask(author.Task('a','misc'))}", ("ok",), ""),
    "map-and-set-prototypes-replaced": (HEAD + "Map.prototype.get=Set.prototype.has=WeakMap.prototype.get=()=>{throw 1};function compileJob(job){job.addTask(author.Task('a','misc'))}", ("ok",), ""),
    "object-frozen": (HEAD + "Object.freeze(Object.prototype);Object.freeze(Array.prototype);function compileJob(job){job.addTask(author.Task('a','misc'))}", ("ok",), ""),
    "prototype-of-everything-changed": (in_job("Object.setPrototypeOf(Function.prototype,null);Array.prototype[Symbol.iterator]=null;String.prototype.replace=null;job.addTask(author.Task('a','misc'))"), ("ok", "error"), ""),
    "control-object-called": (in_job("for(const n of Object.getOwnPropertyNames(globalThis))if(n.startsWith('sb_'))globalThis[n].finish()"), ("ok", "error"), ""),
    "globals-deleted": (HEAD + "for(const n of Object.getOwnPropertyNames(globalThis))try{delete globalThis[n]}catch(e){}\nfunction compileJob(job){}", ("ok", "error"), ""),
    "error-replaced": (HEAD + "globalThis.Error=globalThis.TypeError=null;function compileJob(job){null.x}", ("error",), ""),
    "job-type-getter-throws": ("const JOB_TYPE={label:'x',get settings(){throw new Error('get')}};function compileJob(job){}", ("go_panic",), ""),
    "source-of-five-megabytes": (GOOD + "//" + "x" * 5_000_000, ("ok",), ""),
    "source-nested-too-deep": (HEAD + "const x=" + "(" * 20000 + "1" + ")" * 20000 + ";function compileJob(){}", ("error", "ok", HANGS), ""),
    "null-bytes-in-source": (HEAD + "\0function compileJob(){}", ("error",), ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[CompilerPool]:
    with CompilerPool() as made:
        yield made


def compile_one(pool: CompilerPool, script: str, seconds: float = 1.5):
    job = {"name": "x", "type": "t", "submitter_platform": "linux", "settings": {}}
    request = CompileRequest(scripts={"t.js": script}, job=job, limits=Limits(seconds=seconds, heap_mb=512))
    return pool.compile(request, timeout=60)


def seconds_for(mechanism: str, outcomes: tuple[str, ...]) -> float:
    """The time limit: what must end by itself has enough on any machine; what never ends needs no more than to begin."""
    if HANGS not in outcomes:
        return 20.0
    if "ok" in outcomes:
        return 5.0
    return 0.3 if mechanism.startswith(("loop-", "endless-", "regex-")) else 0.7


def resident_mb() -> float:
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("mechanism", HOSTILE)
def test_a_hostile_script_gets_its_message_and_the_next_preview_works(pool: CompilerPool, mechanism: str) -> None:
    script, outcomes, word = HOSTILE[mechanism]
    before = resident_mb()
    result = compile_one(pool, script, seconds_for(mechanism, outcomes))
    assert result.outcome in outcomes, result.error
    if result.outcome != "ok":
        assert result.error is not None
        assert word in result.error.message
        assert len(result.error.message) < 100_000
    good = compile_one(pool, GOOD, 20)
    assert good.ok
    assert good.summary.tasks == 1
    # A kept result may hold its pages (fifty megabytes); a child's memory is gone with the child.
    assert resident_mb() - before < 200


def test_there_are_at_least_fifty_mechanisms() -> None:
    assert len(HOSTILE) >= 50


def test_children_of_a_closed_pool_are_gone() -> None:
    made = CompilerPool()
    made.wait_warm()
    compile_one(made, HOSTILE["loop-in-compile-job"][0], 0.3)
    children = made.children()
    made.close()
    assert children
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
