#!/usr/bin/env python3
"""Counts the chain of dependent global loads of a kernel in its machine code.

    sass_chain.py CUBIN [CUBIN ...] --plan PLAN [--nvdisasm PROGRAM] [--loops] [--pre-wait serial|overlapped]

The model: a warp issues in order, a global load takes one unit of time from issue to arrival, and everything else
takes none. A warp stalls where its machine code says so: each load names a scoreboard, and each instruction names the
scoreboards that it waits for (the control bits that `nvdisasm -hex` shows). The time at which the last instruction
issues is the number of load latencies that a warp cannot hide behind one another: loads that are issued together
count once.

Where paths join, the later time counts, so the result is the time of the longest path. A plan (JSON) describes the run:
    {"source": "the tree in which source lines are looked up",
     "kernels": [{"name": ..., "match": "regex of the demangled name",
                  "launch": "launch to which the kernel belongs, if several do; the longest one counts (default: name)",
                  "skip": ["regex of source lines that never run; blocks that consist mostly of them are left out"],
                  "skip_blocks": ["hexadecimal address of the first instruction of a block that never runs"],
                  "not_last": ["regex of source lines that do not run in the last trip of a loop"],
                  "loops": {"regex of source lines": trips}}]}
The trips of a loop come from the first regex that matches a line of the branch that closes it, or a line that was
inlined there. Loops that no regex matches run once (--loops lists them). Loads before griddepcontrol.wait run while
the previous kernel is still running: "overlapped" (the default) counts from the wait on, "serial" counts them as
well.
"""
import argparse, collections, json, os, re, subprocess, sys

INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;?\s*/\* (0x[0-9a-f]{16}) \*/")
SECOND_WORD = re.compile(r"^\s+/\* (0x[0-9a-f]{16}) \*/")
LINE = re.compile(r'File "([^"]+)", line (\d+)')
LABEL = re.compile(r"^(\.L\S*):")
GLOBAL_LOAD = re.compile(r"^(LDG|LD|ATOMG|ATOM)\b")
Instruction = collections.namedtuple("Instruction", "address text predicated writes waits lines")


class Kernel:
    """The instructions of one kernel and its control flow."""

    def __init__(self, name):
        self.name, self.code, self.labels = name, [], {}

    def finish(self):
        self.at = {i.address: k for k, i in enumerate(self.code)}
        leaders = {0} | {k for k in self.labels.values() if k < len(self.code)}
        leaders |= {k + 1 for k, i in enumerate(self.code) if re.match(r"(BRA|EXIT|BSYNC|RET|BREAK)\b", i.text)}
        starts = sorted(k for k in leaders if k < len(self.code))
        self.blocks = {s: range(s, e) for s, e in zip(starts, starts[1:] + [len(self.code)])}
        self.next = {s: self.successors(s) for s in self.blocks}

    def successors(self, start):
        last = self.blocks[start][-1]
        text, follow = self.code[last].text, [last + 1] if last + 1 < len(self.code) else []
        target = re.search(r"`\((\.L\S+?)\)", text)
        if text.startswith("BRA.DIV"):
            return follow
        if text.startswith("BRA"):
            conditional = self.code[last].predicated or re.match(r"BRA\S*\s+!?U?P\d", text)
            return [self.labels[target.group(1)]] + (follow if conditional else [])
        if re.match(r"(EXIT|RET)\b", text):
            return follow if self.code[last].predicated else []
        if text.startswith("BSYNC"):
            register = text.split()[1]
            for k in range(last, -1, -1):
                opened = re.match(r"BSSY\s+(B\d+), `\((\.L\S+?)\)", self.code[k].text)
                if opened and opened.group(1) == register:
                    return [self.labels[opened.group(2)]]
        return follow


def kernels_of(cubin, nvdisasm):
    text = subprocess.run([nvdisasm, "-c", "-gi", "-hex", cubin], capture_output=True, text=True, check=True).stdout
    kernel, result, lines, fresh, pending = None, [], (), True, None
    for line in text.splitlines():
        section = re.match(r"^\.text\.(\S+):", line)
        if section:
            kernel = Kernel(section.group(1))
            result.append(kernel)
        elif kernel is None:
            continue
        elif "//## File" in line:
            found = tuple((f, int(n)) for f, n in LINE.findall(line))
            lines = found if fresh else lines + found
            fresh = False
        elif LABEL.match(line):
            kernel.labels[LABEL.match(line).group(1)] = len(kernel.code)
        elif INSTRUCTION.match(line):
            address, body, _ = INSTRUCTION.match(line).groups()
            guard = re.match(r"(@!?U?P\w+)\s+(.*)", body)
            pending = (int(address, 16), guard.group(2) if guard else body, bool(guard) and guard.group(1) != "@PT")
            fresh = True
        elif pending and SECOND_WORD.match(line):
            word = int(SECOND_WORD.match(line).group(1), 16)
            kernel.code.append(Instruction(*pending, word >> 46 & 7, word >> 52 & 63, lines))
            pending = None
    for k in result:
        k.finish()
    return result


class Times:
    """The time at which the next instruction issues, and the arrival times of what each scoreboard counts."""

    def __init__(self, now=0, boards=None):
        self.now, self.boards = now, boards or [[] for _ in range(6)]

    def copy(self):
        return Times(self.now, [list(b) for b in self.boards])

    def join(self, other):
        if other is None:
            return self
        boards = [[max(a, b) for a, b in zip([0] * (max(len(x), len(y)) - len(x)) + x, [0] * (max(len(x), len(y)) - len(y)) + y)]
                  for x, y in zip(self.boards, other.boards)]
        return Times(max(self.now, other.now), boards)

    def wait(self, board, but=0):
        done = self.boards[board][:len(self.boards[board]) - but]
        self.now = max([self.now] + done)
        self.boards[board] = self.boards[board][len(self.boards[board]) - but:] if but else []

    def issue(self, i, overlapped):
        for board in range(6):
            if i.waits >> board & 1:
                self.wait(board)
        counted = re.match(r"DEPBAR\S*\s+SB(\d), (0x[0-9a-f]+)", i.text)
        if counted:
            self.wait(int(counted.group(1)), int(counted.group(2), 16))
        if i.text.startswith("ACQBULK") and overlapped:
            self.now, self.boards = 0, [[0 for _ in b] for b in self.boards]
        if i.writes < 6:
            self.boards[i.writes].append(self.now + (1 if GLOBAL_LOAD.match(i.text) else 0))


class Source:
    def __init__(self, root):
        self.root, self.files = root, {}

    def text(self, place):
        path, line = place
        marker = next((m for m in ("/kernels/", "/include/", "/src/") if m in path), None)
        if marker is None:
            return ""
        path = os.path.join(self.root, (marker + path.split(marker, 1)[1]).lstrip("/"))
        if path not in self.files:
            self.files[path] = open(path).read().splitlines() if os.path.exists(path) else []
        lines = self.files[path]
        return lines[line - 1] if line <= len(lines) else ""


class Walk:
    """Finds the longest path through a kernel."""

    def __init__(self, kernel, plan, source, overlapped):
        self.kernel, self.source, self.overlapped, self.plan = kernel, source, overlapped, plan
        skipped = self.blocks_of(plan.get("skip", []))
        skipped |= {kernel.at[int(a, 16)] for a in plan.get("skip_blocks", [])}
        self.without = self.blocks_of(plan.get("not_last", []))
        self.next = {s: [n for n in kernel.next[s] if n not in skipped] for s in kernel.blocks if s not in skipped}
        self.order = self.reverse_postorder()
        self.loops = self.find_loops()
        self.used, self.stalls = [], []

    def reverse_postorder(self):
        order, seen, stack = [], {0}, [(0, iter(self.next[0]))]
        while stack:
            node, successors = stack[-1]
            for n in successors:
                if n not in seen:
                    seen.add(n)
                    stack.append((n, iter(self.next[n])))
                    break
            else:
                order.append(node)
                stack.pop()
        return order[::-1]

    def find_loops(self):
        """Returns {header: (blocks, sources of its back edges)}. A back edge goes to a block that dominates its
        source."""
        index = {b: i for i, b in enumerate(self.order)}
        before = collections.defaultdict(list)
        for b in self.order:
            for n in self.next[b]:
                before[n].append(b)
        dominators = {b: set(self.order) for b in self.order}
        dominators[0] = {0}
        changed = True
        while changed:
            changed = False
            for b in self.order[1:]:
                new = set.intersection(*(dominators[p] for p in before[b])) | {b}
                if new != dominators[b]:
                    dominators[b], changed = new, True
        loops = {}
        for b in self.order:
            for n in self.next[b]:
                if index[n] > index[b]:
                    continue
                if n not in dominators[b]:
                    sys.exit(f"sass_chain: {self.kernel.name} has a loop with two entries")
                body, stack = {n, b}, [b]
                while stack:
                    block = stack.pop()
                    for p in before[block] if block != n else []:
                        if p not in body:
                            body.add(p)
                            stack.append(p)
                blocks, latches = loops.get(n, (set(), []))
                loops[n] = (blocks | body, latches + [b])
        return loops

    def blocks_of(self, patterns):
        """Returns the blocks of at least four instructions whose source lines mostly match. Smaller blocks are ignored,
        because the compiler moves single instructions between blocks and records wrong inlining positions for some."""
        patterns = [re.compile(p) for p in patterns]
        matches = lambda i: any(p.search(self.source.text(l)) for l in i.lines for p in patterns)
        return {s for s, b in self.kernel.blocks.items() if s and len(b) >= 4 and 2 * sum(matches(self.kernel.code[k]) for k in b) > len(b)}

    def trips(self, header):
        _, latches = self.loops[header]
        lines = [l for b in latches + [header] for l in
                 self.kernel.code[self.kernel.blocks[b][-1 if b in latches else 0]].lines]
        texts = [self.source.text(l).strip() for l in lines]
        for pattern, count in self.plan.get("loops", {}).items():
            if any(re.search(pattern, t) for t in texts):
                self.used.append((count, texts))
                return count
        self.used.append((None, texts))
        return 1

    def region(self, blocks, entry, times, without=frozenset()):
        """Runs an acyclic region, including its inner loops, once. Returns {(block, successor outside or entry):
        times}."""
        arrived, exits = {entry: times}, {}
        inner = {h: self.loops[h][0] for h in self.loops if h in blocks and h != entry}
        outermost = {h: b for h, b in inner.items() if not any(h in o and h != g for g, o in inner.items())}
        hidden = {b: h for h, body in outermost.items() for b in body if b != h}

        def leave(block, successor, t):
            if successor == entry or successor not in blocks:
                key = (block, successor)
                exits[key] = t.join(exits.get(key))
            else:
                arrived[successor] = t.copy().join(arrived.get(successor))

        for b in self.order:
            if b not in blocks or b in hidden or b not in arrived or b in without:
                continue
            if b in outermost:
                for (source, successor), t in self.loop(b, arrived[b]).items():
                    leave(source, successor, t)
                continue
            t = arrived[b].copy()
            for k in self.kernel.blocks[b]:
                before = t.now
                t.issue(self.kernel.code[k], self.overlapped)
                if t.now > before:
                    self.stalls.append((before, t.now, self.kernel.code[k]))
            self.last = max(self.last, t.now)
            for n in self.next[b]:
                leave(b, n, t)
        return exits

    def loop(self, header, times):
        blocks, latches = self.loops[header]
        trips = self.trips(header)
        for trip in range(trips):
            exits = self.region(blocks, header, times, self.without if trip == trips - 1 else frozenset())
            back = [t for (_, n), t in exits.items() if n == header]
            out = {e: t for e, t in exits.items() if e[1] != header}
            if back:
                times = back[0]
                for t in back[1:]:
                    times = times.join(t)
        top = {e for e in out if e[0] not in latches}
        for e in top:  # a loop that tests its condition at the top is left after its last trip
            out[e] = out[e].join(times)
        return out

    def run(self):
        self.last = 0
        self.region(set(self.order), 0, Times())
        return self.last


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cubins", nargs="+", metavar="CUBIN", help="file with the machine code of kernels")
    parser.add_argument("--plan", required=True, help="JSON file that describes the kernels and their loops")
    parser.add_argument("--source", help="source tree that was compiled (default: the plan's)")
    parser.add_argument("--nvdisasm", default="nvdisasm", help="path of nvdisasm (default: the one on PATH)")
    parser.add_argument("--loops", action="store_true", help="list each loop on the path with its trips")
    parser.add_argument("--stalls", action="store_true", help="list the instructions that wait for a load")
    parser.add_argument("--pre-wait", choices=["serial", "overlapped"], default="overlapped",
                        help="whether to count loads before griddepcontrol.wait (serial) or not (default: overlapped)")
    options = parser.parse_args()
    plan = json.load(open(options.plan))
    source = Source(options.source or os.path.join(os.path.dirname(os.path.abspath(options.plan)), plan["source"]))
    kernels = [k for c in options.cubins for k in kernels_of(c, options.nvdisasm)]
    names = subprocess.run(["c++filt"], input="\n".join(k.name for k in kernels), capture_output=True, text=True).stdout.splitlines()
    longest = {}
    for entry in plan["kernels"]:
        found = [k for k, n in zip(kernels, names) if re.search(entry["match"], n)]
        if len(found) != 1:
            sys.exit(f"sass_chain: expected one kernel for {entry['match']}, got {len(found)}")
        walk = Walk(found[0], entry, source, options.pre_wait == "overlapped")
        count = walk.run()
        launch = entry.get("launch", entry["name"])
        longest[launch] = max(longest.get(launch, 0), count)
        print(f"{entry['name']:55} {count:4}   {16 * len(found[0].code) / 1024:.0f} KB of code")
        for before, now, i in walk.stalls if options.stalls else []:
            texts = [source.text(l).strip() for l in i.lines]
            print(f"    {before} -> {now} at {i.address:#x} {i.text[:40]}: {' <- '.join(x for x in texts if x)[:150]}")
        if options.loops:
            for trips, texts in sorted(set((t, tuple(x)) for t, x in walk.used), key=str):
                print(f"    {trips if trips is not None else '1 (no rule)'}: {' <- '.join(x for x in texts if x)[:200]}")
    print(f"{'longest chain of a step':55} {sum(longest.values()):4}")


if __name__ == "__main__":
    main()
