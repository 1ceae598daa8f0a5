"""Small faults that can be put into a Python source at exact places, found in its syntax tree.

A fault swaps, drops or adds as little as one operator and leaves every other byte as it was.
Left alone is what changes nothing that a test should notice:
- docstrings, annotations, decorators, log calls, translated texts and error messages;
- what only paints or arranges: functions that are given a painter and classes that are made with
  one, sizes, gaps and alignments of widgets, and numbers added to pixels;
- module constants of pace and looks: pauses, the size of a piece of work or of a cache, pixels of
  the window (their name or the comment beside them says so), and bounds between two readings of a
  clock or with such a constant, and how many processors are used;
- numbers that only keep a division finite (at most 1e-6), bounds that allow such a number for
  rounding, and flushing to the disk.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

ORDER, FACTOR, LIMIT, COUNTER, LOGIC, RESULT = 8, 8, 6, 6, 4, 2  # how likely each kind is drawn

_BOUNDARY = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_OPPOSITE = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_SIGN = {ast.Add: "-", ast.Sub: "+"}
_SETS = {ast.BitOr: "&", ast.BitAnd: "|"}
_FACTORS = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.MatMult)
_SWAPPED_CALLS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "argmin": "argmax",
    "argmax": "argmin",
    "floor": "ceil",
    "ceil": "floor",
}
_SILENT_CALLS = re.compile(
    r"_?tr|plural|mark|counted|Message|translate|QT_TRANSLATE_NOOP|cast|TypeVar|NewType|namedtuple"
    r"|fsync|freeze_support|__init__|set\w*(ContentsLength|Margins|Spacing|ToolTip|Name|Width|Height|Size|Policy|Style\w*|Icon|Font"
    r"|Property|Format|Wrap|Stretch|Alignment|Cursor|Families|ElideMode|FrameShape|ResizeMode"
    r"|Placeholder\w*|WindowTitle|Pen|Brush|Ratio)|add(Stretch|Spacing|Separator)|(un)?polish"
)
_SILENT_OWNERS = re.compile("_?(painter|draw|log|logger|logging|warnings)")
_SILENT_FUNCTIONS = re.compile(r"__repr__|__str__|sizeHint|minimumSizeHint|paintEvent|_?paint_\w+")
_PAINTERS = {"QPainter", "ImageDraw.ImageDraw"}  # parameters of functions that only paint
_PLACES = re.compile(r"Q(Rect|Point|Size|Margins|Line)F?|adjust(ed)?|translated?|move(To|Center)?")
_MEASURES = re.compile(r"width|height|horizontalAdvance|lineSpacing|ascent|descent")
_CLOCKS = re.compile(r"monotonic|perf_counter|elapsed|time")
_PACE = re.compile(
    r"_?(\w+_)?(CHUNK|PIECE|BLOCK|PREFETCH|AHEAD|BEHIND|(HEART)?BEAT|REDRAW|SECONDS|MS"
    r"|TIMEOUT|CACHED|AT_ONCE)"
)
_PACE_COMMENT = re.compile(
    r"\b((milli)?seconds|ms|at a time|at once|together|per (request|iteration)|chances? to stop"
    r"|in memory)\b"
)
_LOOK = re.compile(
    r"_?(\w+_)?(WIDTH|HEIGHT|GAP|EDGE|ROW|LINE|PAD|RADIUS|PIXELS|CAPTION|ICON|TILE|STRIP|BADGE)"
)
_NEGLIGIBLE = 1e-6  # numbers up to this only guard against zero or rounding
_COUNTING_CALLS = {"range", "min", "max", "round", "enumerate", "islice", "sum", "len"}
_SQL = re.compile(
    r"\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|ORDER BY|WHERE|ON CONFLICT) ", re.S
)
_SQL_FAULTS = (
    (re.compile(r" DESC\b"), "", ORDER),
    (re.compile(r"(?<=ORDER BY )(\w+)(?=[,\"' ]|$)(?! DESC)"), r"\1 DESC", ORDER),
    (re.compile(r"\bmax\("), "min(", LIMIT),
    (re.compile(r"\bmin\("), "max(", LIMIT),
    (re.compile(r" \+ 1\b"), "", COUNTER),
    (re.compile(r" (<|>) "), r" \1= ", LIMIT),
    (re.compile(r" (<|>)= "), r" \1 ", LIMIT),
    (re.compile(r" AND "), " OR ", LOGIC),
    (re.compile(r"\bNOT (?!NULL)"), "", LOGIC),
    (re.compile(r"\bexcluded\."), "", COUNTER),
)
_COMMENT = re.compile(rb"#[^\n]*")


@dataclass(frozen=True)
class Mutant:
    """One fault: the bytes from `start` to `end` of a file become `new`."""

    file: str
    line: int
    start: int
    end: int
    new: bytes
    weight: int
    scope: str  # the function or class it is in, "" at the top of the file

    def applied(self, source: bytes) -> bytes:
        """The whole source with the fault in it."""
        return source[: self.start] + self.new + source[self.end :]

    def compiles(self, source: bytes) -> bool:
        """Whether the source is still Python with the fault in it."""
        try:
            ast.parse(self.applied(source))
        except SyntaxError:
            return False
        return True

    def change(self, source: bytes) -> str:
        """The line before and after, as text."""
        first = source.rfind(b"\n", 0, self.start) + 1
        last = source.find(b"\n", self.end)
        last = len(source) if last < 0 else last
        after = source[first : self.start] + self.new + source[self.end : last]
        return f"{_one_line(source[first:last])}  ->  {_one_line(after)}"


def _one_line(text: bytes, longest: int = 150) -> str:
    words = " ".join(text.decode().split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def mutants_of(file: str, source: bytes) -> list[Mutant]:
    """Every fault that can be put into a source; a few leave it uncompilable."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    return finder.found


def _name_of(function: ast.expr) -> str:
    """The last name of what is called."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_silent(call: ast.Call) -> bool:
    """A call that words, logs, sizes or paints something."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    silent = owner is not None and _SILENT_OWNERS.fullmatch(_name_of(owner))
    return bool(silent or _SILENT_CALLS.fullmatch(_name_of(call.func)))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_qt_flag(node: ast.expr) -> bool:
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return any(re.match(r"Q[A-Zt]", name) for name in names)


def _is_negligible(node: ast.expr) -> bool:
    """A number that only guards against zero or rounding, or a constant named as one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return 0 < node.value <= _NEGLIGIBLE
    return isinstance(node, ast.Name) and node.id.endswith("EPSILON")


def _has_tolerance(nodes: tuple[ast.expr, ...]) -> bool:
    """Whether one of these adds a negligible number, so that equality decides nothing."""
    sums = [node for node in nodes if isinstance(node, ast.BinOp) and type(node.op) in _SIGN]
    return any(_is_negligible(node.right) for node in sums)


def _measures(nodes: list[ast.expr]) -> bool:
    """Whether one of these is a width or height that Qt gives, in pixels."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return any(_MEASURES.fullmatch(_name_of(call.func)) for call in calls)


def _has_clock(nodes: list[ast.expr]) -> bool:
    """Whether a clock is read somewhere in these."""
    calls = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Call)]
    return any(_CLOCKS.fullmatch(_name_of(call.func)) for call in calls)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _takes_painter(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    kinds = [ast.unparse(one.annotation) for one in function.args.args if one.annotation]
    return any(kind in _PAINTERS for kind in kinds)


def _returns_nothing(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A procedure: nothing but bare returns, and no generator."""
    inner = [node for part in function.body for node in ast.walk(part)]
    return not any(
        isinstance(node, ast.Yield | ast.YieldFrom)
        or (isinstance(node, ast.Return) and node.value is not None)
        for node in inner
    )


class _Finder(ast.NodeVisitor):
    """Walks a tree and collects faults; `parents` are the nodes it stands in."""

    def __init__(self, file: str, source: bytes) -> None:
        self.found: list[Mutant] = []
        self._file = file
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._bare = _COMMENT.sub(lambda match: b" " * len(match[0]), source)
        self._scope: list[str] = []
        self._parents: list[ast.AST] = []

    # where things stand

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def _text(self, node: ast.expr) -> bytes:
        return self._source[self._start(node) : self._end(node)]

    def _put(self, start: int, end: int, new: str | bytes, weight: int) -> None:
        line = self._source.count(b"\n", 0, start) + 1
        text = new.encode() if isinstance(new, str) else new
        scope = ".".join(self._scope)
        self.found.append(Mutant(self._file, line, start, end, text, weight, scope))

    def _replace(self, node: ast.expr | ast.stmt, new: str | bytes, weight: int) -> None:
        self._put(self._start(node), self._end(node), new, weight)

    def _swap(self, left: ast.expr, right: ast.expr, old: str, new: str, weight: int) -> None:
        """Replace the operator between two operands; only brackets and blanks stand there too."""
        start, end = self._end(left), self._start(right)
        found = re.search(old.encode(), self._bare[start:end])
        if found:
            self._put(start + found.start(), start + found.end(), new, weight)

    def _in_sort(self) -> bool:
        """Inside the call that sorts or picks, or a function named as one that does."""
        calls = [_name_of(node.func) for node in self._parents if isinstance(node, ast.Call)]
        names = [*calls, *self._scope]
        return any(re.search("sort|order|rank|^min$|^max$|nearest|__lt__", name) for name in names)

    # what is walked, and what is left alone

    def visit(self, node: ast.AST) -> None:
        """Visit a node, knowing its parents."""
        visitor = getattr(self, f"visit_{type(node).__name__}", None)
        skipped = visitor(node) if visitor else None
        if skipped is not True:
            self._parents.append(node)
            self.generic_visit(node)
            self._parents.pop()

    def _walk(self, nodes: list[ast.AST], owner: ast.AST, scope: str) -> None:
        self._scope.append(scope)
        self._parents.append(owner)
        for node in nodes:
            self.visit(node)
        self._parents.pop()
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Defaults and body; a procedure may also return at once."""
        if _SILENT_FUNCTIONS.fullmatch(node.name) or _takes_painter(node):
            return True
        body = node.body[1:] if _is_docstring(node.body[0]) else node.body
        defaults = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value]
        self._walk([*defaults, *body], node, node.name)
        plain = body and not isinstance(body[0], ast.Pass | ast.Raise) and node.name != "__init__"
        if plain and _returns_nothing(node):
            self._scope.append(node.name)
            self._replace(body[0], "return", RESULT)
            self._scope.pop()
        return True

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> bool:
        """As a plain function."""
        return self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> bool:
        """The body alone: bases and decorators stay."""
        makers = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        if any(part.name == "__init__" and _takes_painter(part) for part in makers):
            return True
        self._walk(list(node.body), node, node.name)
        return True

    def visit_AnnAssign(self, node: ast.AnnAssign) -> bool:
        """The value alone."""
        if node.value is not None and "Annotated" not in ast.dump(node.annotation):
            self._parents.append(node)
            self.visit(node.value)
            self._parents.pop()
        return True

    def visit_If(self, node: ast.If) -> bool:
        """Not what only type checkers or the command line see."""
        return any(word in ast.dump(node.test) for word in ("'TYPE_CHECKING'", "'__main__'"))

    def visit_Assign(self, node: ast.Assign) -> bool:
        """Not a module's constants of speed, and of appearance in the window."""
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if self._scope or not names:
            return False
        line = self._source[self._start(node) :].split(b"\n", 1)[0].decode()
        comment = line.partition("#")[2]
        if _PACE.fullmatch(names[0]) or _PACE_COMMENT.search(comment):
            return True
        in_window = "ui" in self._file.split("/")
        return in_window and bool(_LOOK.fullmatch(names[0]) or re.search(r"\bpixels\b", comment))

    def visit_Raise(self, node: ast.Raise) -> bool:
        """Messages of errors stay."""
        return True

    def visit_Assert(self, node: ast.Assert) -> bool:
        """Checks of our own stay."""
        return True

    # faults

    def visit_Expr(self, node: ast.Expr) -> bool:
        """A call whose result nobody uses is dropped."""
        if not isinstance(node.value, ast.Call):
            return isinstance(node.value, ast.Constant)
        if not _is_silent(node.value):
            self._replace(node, "pass", RESULT)
        return False

    def visit_Call(self, node: ast.Call) -> bool:
        """Smallest for largest, any for all, an order dropped."""
        name = _name_of(node.func)
        if _is_silent(node) or (name in ("min", "max") and "'cpu_count'" in ast.dump(node)):
            return True
        end = self._end(node.func)
        if name in _SWAPPED_CALLS:
            self._put(end - len(name), end, _SWAPPED_CALLS[name], LIMIT)
        if name == "sorted" and len(node.args) == 1 and not node.keywords:
            self._put(end - len(name), end, "list", ORDER)
        for keyword in node.keywords:
            if keyword.arg in ("reverse", "descending") and isinstance(keyword.value, ast.Constant):
                self._replace(keyword.value, str(not keyword.value.value), ORDER)
        return False

    def visit_Compare(self, node: ast.Compare) -> bool:
        """A bound off by one, or a test turned round; not what is compared with a pace."""
        operands = [node.left, *node.comparators]
        if any(isinstance(one, ast.Name) and _PACE.fullmatch(one.id) for one in operands):
            return True
        by_clock = _has_clock(operands)
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            if type(op) in _BOUNDARY and (by_clock or _has_tolerance((left, right))):
                continue
            if type(op) in _BOUNDARY:
                self._swap(left, right, "[<>]=?", _BOUNDARY[type(op)], LIMIT)
            else:
                old = r"==|!=|\bis\s+not\b|\bis\b|\bnot\s+in\b|\bin\b"
                self._swap(left, right, old, _OPPOSITE[type(op)], LOGIC)
        return False

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` for `or`."""
        new = "or" if isinstance(node.op, ast.And) else "and"
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._swap(left, right, r"\b(and|or)\b", new, LOGIC)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """A sign turned, a factor dropped, a union for an intersection."""
        left, right, op = node.left, node.right, type(node.op)
        is_path = op is ast.Div and re.search("(?i)file|folder|path|name|dir", ast.unparse(right))
        if _is_text(left) or _is_text(right) or is_path or _is_negligible(right):
            return
        if op in _SIGN:
            weight = ORDER if self._in_sort() else COUNTER
            self._swap(left, right, r"[+-]", _SIGN[op], weight)
        elif op in _FACTORS:
            self._replace(node, b"(" + self._text(left) + b")", FACTOR)
        elif op in _SETS and self._scope and not _is_qt_flag(node):
            self._swap(left, right, r"[|&]", _SETS[op], LOGIC)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """`not` or a minus removed."""
        start = self._start(node)
        if isinstance(node.op, ast.Not):
            self._put(start, start + len("not "), "", LOGIC)
        elif isinstance(node.op, ast.USub) and self._counts(node.operand):
            self._put(start, start + len("-"), "", ORDER if self._in_sort() else COUNTER)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """A counter that runs backwards, or that keeps only its last step."""
        start, end = self._end(node.target), self._start(node.value)
        found = re.search(rb"[^\s=]+=", self._bare[start:end])
        if found and not _is_text(node.value):
            new = {ast.Add: "-=", ast.Sub: "+="}.get(type(node.op), "=")
            self._put(start + found.start(), start + found.end(), new, COUNTER)

    def visit_Constant(self, node: ast.Constant) -> None:
        """One more, where a number counts, bounds or scales; SQL has faults of its own."""
        value = node.value
        if isinstance(value, str):
            self._sql(node)
        elif isinstance(value, bool):
            if isinstance(self._parents[-1], ast.Return | ast.Assign | ast.AnnAssign):
                self._replace(node, str(not value), LOGIC)
        elif isinstance(value, int | float) and self._counts(node):
            more = repr(value + 1 if isinstance(value, int) or not value else value * 2)
            self._replace(node, more, LIMIT)

    def _counts(self, node: ast.expr) -> bool:
        """Whether a number stands where it counts, bounds or scales, not on the screen."""
        parent = self._parents[-1]
        if not isinstance(node, ast.Constant):
            return True
        if _is_negligible(node) or self._is_pixels(parent):
            return False
        if isinstance(parent, ast.Call):
            return _name_of(parent.func) in _COUNTING_CALLS
        places = (ast.Compare, ast.BinOp, ast.AugAssign, ast.Slice, ast.Return, ast.IfExp)
        return isinstance(parent, (*places, ast.arguments, ast.Assign, ast.AnnAssign))

    def _is_pixels(self, parent: ast.AST) -> bool:
        """Whether a number in here is added to a measure of the screen, or to a place on it."""
        if isinstance(parent, ast.Call):
            return _name_of(parent.func) in ("min", "max") and _measures(parent.args)
        if not isinstance(parent, ast.BinOp) or type(parent.op) not in _SIGN:
            return False
        calls = [_name_of(node.func) for node in self._parents if isinstance(node, ast.Call)]
        return _measures([parent.left, parent.right]) or any(map(_PLACES.fullmatch, calls))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> bool:
        """Texts stay, SQL has faults of its own."""
        self._sql(node)
        return True

    def _sql(self, node: ast.expr) -> None:
        text = self._text(node).decode()
        if not _SQL.search(text):
            return
        for pattern, new, weight in _SQL_FAULTS:
            for match in pattern.finditer(text):
                start = self._start(node) + len(text[: match.start()].encode())
                end = start + len(match[0].encode())
                self._put(start, end, match.expand(new), weight)

    def visit_Return(self, node: ast.Return) -> None:
        """Nothing instead of the result."""
        value = node.value
        silent = isinstance(value, ast.Call) and _is_silent(value)
        empty = value is None or (isinstance(value, ast.Constant) and not value.value)
        if not silent and not empty:
            self._replace(node, "return None", RESULT)

    def visit_Break(self, node: ast.Break) -> None:
        """Go on instead of ending."""
        self._replace(node, "continue", LIMIT)

    def visit_Continue(self, node: ast.Continue) -> None:
        """End instead of going on."""
        self._replace(node, "break", LIMIT)
