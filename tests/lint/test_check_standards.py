#!/usr/bin/python3
"""scripts/check-standards complains of what is wrong, and of nothing else.

Each case is a small tree that is right but for one replacement.
"""
from __future__ import annotations

import importlib.util
import sys
import tempfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

sys.dont_write_bytecode = True
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/check-standards"

DOC = "docs/STANDARDS.md"
MK = "tests/local.mk"
CODE = "stir/a.c"
SCHEMA = "agent/config_schema.c"
UNIT = "tests/unit/test_a.c"
PYTHON = "tests/integration/test_b.py"
FUZZ = "tests/fuzz/fuzz_a.c"

TREE = {
    MK: "TESTS += tests/unit/test_a tests/fuzz/fuzz_a tests/integration/test_b.py\n",
    CODE: "int\nfirst(void)\n{\n}\n",
    SCHEMA: "\tNO(\"a_key\"), TEXT(\"key\"),\n",
    FUZZ: "/* bytes in, V-05 */\nint x;\n",
    DOC: """
| clause | what | code | test |
|---|---|---|---|
| V-01 | in the name | `stir/a.c:first` | `tests/unit/test_a.c:"named (V-01)"` |
| V-02 | in comments | `stir/a.c:first` | `tests/unit/test_a.c:"behind"`, `tests/unit/test_a.c:"within"` |
| V-03 | above | `stir/a.c:first` | `tests/unit/test_a.c:"below"`, `tests/unit/test_a.c:runs` |
| V-04 | by name | `stir/a.c:first` | `tests/unit/test_a.c:test_v_04` |
| V-05 | a file | `stir/a.c:first` | `tests/fuzz/fuzz_a.c` |
| V-06 | Python | `stir/a.c:first` | `tests/integration/test_b.py:"row"`, `tests/integration/test_b.py:said` |
| V-07 | absent | not implemented: no need | - |
| V-08 | untested | `stir/a.c:first` | not yet |
| D-01 | by `a_key = yes`, `key` | `stir/a.c:first` | not yet |
| RFC 8226 s9 DER | a section | `stir/a.c:first` | `tests/unit/test_a.c:"section"` |
| RFC 8226 s9.1 | sections | `stir/a.c:first` | `tests/unit/test_a.c:"section"`, `tests/unit/test_a.c:"long"` |
""",
    UNIT: """/* a */
static struct {
	const char *name, *text;
} cases[] = {
	{ "named (V-01)", "x" },
	{ "behind", "}" }, /* V-02 */
	{ "within", /* as V-02 says */ "x" },
	/* V-03 */
	{ "below", "x" },
	{ "section", "x" }, /* RFC 8226 section 9 and 9.1 */
	{ "long", /* RFC 8226 s1, s9.1 */
	    "x" },
};

/* Not one (V-03). */
static void
runs(void **state)
{
}

static void
test_v_04(void **state)
{
}

int
main(void)
{
	runs(NULL);
}
""",
    PYTHON: """
CASES = [
    # V-06
    ("row", ")", 1),
    ("other", 2),
]


@staticmethod
def said(a: int, b: str = ":") -> None:
    \"\"\"V-06, in so many words\"\"\"


said(1)
""",
}

# name, file, what is replaced, by what, a part of the one complaint (None: none)
CASES = [
    ("as it is", DOC, "", "", None),
    ("id in a comment that wraps", UNIT, "as V-02 says", "RFC 8226 section\n\t * 9, V-02", None),
    ("id by a comment of //", UNIT, "/* V-02 */", "// V-02", None),
    ("id above def", PYTHON, "@staticmethod\ndef said(a: int, b: str = \":\") -> None:\n"
     "    \"\"\"V-06, in so many words\"\"\"", "# V-06\ndef said() -> None:\n    pass", None),
    ("no id in the name", UNIT, '"named (V-01)"', '"named"', 'no row "named (V-01)"'),
    ("another id in the name", DOC, "| V-01 | in the name |", "| V-01 |", "3 cells"),
    ("no id behind", UNIT, " /* V-02 */", "", "test_a.c: behind does not carry V-02"),
    ("another id behind", UNIT, "/* V-02 */", "/* V-03 */", "behind does not carry V-02"),
    ("id behind the next row", UNIT, "}\" }, /* V-02 */", "}\" },\n\t{ \"x\" }, /* V-02 */",
     "behind does not carry V-02"),
    ("no id within", UNIT, "as V-02 says", "as is", "within does not carry V-02"),
    ("id in a value of the row", UNIT, "/* as V-02 says */ \"x\"", '"V-02"',
     "within does not carry V-02"),
    ("no id above the row", UNIT, "\t/* V-03 */\n", "", "below does not carry V-03"),
    ("id above the row before", UNIT, "{ \"below\"", "{ \"x\" },\n\t{ \"below\"",
     "below does not carry V-03"),
    ("no id above the function", UNIT, "Not one (V-03).", "Not one.",
     "runs does not carry V-03"),
    ("id above another function", UNIT, "(V-03). */\n", "(V-03). */\nint y;\n\n",
     "runs does not carry V-03"),
    ("id in no function's name", DOC, "| V-04 | by name |", "| V-04 | | by name |", "5 cells"),
    ("no id in the head", FUZZ, "V-05", "out", "fuzz_a.c does not carry V-05"),
    ("id behind the head", FUZZ, ", V-05 */", " */\n/* V-05 */",
     "fuzz_a.c does not carry V-05"),
    ("no id above the row of Python", PYTHON, "    # V-06\n", "", "row does not carry V-06"),
    ("no id in the docstring", PYTHON, "\"\"\"V-06, ", "\"\"\"", "said does not carry V-06"),
    ("a section above", UNIT, "section 9 and 9.1", "section 9.1",
     "section does not carry RFC 8226 s9"),
    ("a section below", UNIT, "s1, s9.1", "s1, s9", "long does not carry RFC 8226 s9.1"),
    ("another RFC", UNIT, "RFC 8226 s1,", "RFC 8225 s1,", "long does not carry RFC 8226 s9.1"),
    ("a clause without a section", DOC, "RFC 8226 s9 DER", "RFC 8226 DER",
     "does not begin with an id"),
    ("an id without a row", UNIT, "/* a */", "/* V" + "-99 */", "speaks of V" + "-99"),
    ("an id of one digit", PYTHON, "CASES", "# D" + "-1\nCASES", "speaks of D" + "-1"),
    ("no row for a requirement", DOC, "| V-07 | absent |", "| V" + "-7 | absent |",
     "V-07 is the clause of 0 rows"),
    ("two rows for a requirement", DOC, "| V-08 |", "| V-07 |", "V-07 is the clause of 2 rows"),
    ("no such row", UNIT, '"below"', '"beneath"', 'has no row "below"'),
    ("no such function", CODE, "first", "second", "stir/a.c does not define first"),
    ("no such test function", UNIT, "test_v_04", "test_v_4", "does not define test_v_04"),
    ("no such file", DOC, "`tests/fuzz/fuzz_a.c`", "`tests/fuzz/fuzz_b.c`",
     "there is no tests/fuzz/fuzz_b.c"),
    ("nothing runs it", UNIT, "\truns(NULL);\n", "", "test_a.c runs runs"),
    ("not in make check", MK, " tests/fuzz/fuzz_a", "", "make check does not run"),
    ("code without a function", DOC, "| V-05 | a file | `stir/a.c:first` |",
     "| V-05 | a file | `stir/a.c` |", "stir/a.c without a function"),
    ("no code and no reason", DOC, "not implemented: no need", "later", "not said why"),
    ("no test and not said", DOC, "| not yet |", "| - |", "not said so"),
    ("no reference", DOC, "`tests/fuzz/fuzz_a.c`", "`a b`", "this is no reference"),
    ("a switch that is no key", SCHEMA, "\"key\"", "\"keys\"", "has no key key"),
    ("a switch with a value that is no key", SCHEMA, "\"a_key\"", "\"b_key\"", "has no key a_key"),
    ("another head", DOC, "| what | code | test |", "| what | test | code |",
     "a table with the head"),
]


def load() -> object:
    loader = SourceFileLoader("check_standards", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def complaints(script: object, file: str, old: str, new: str) -> list[str]:
    once = [f"V-{n:02}" for n in range(1, 9)]
    with tempfile.TemporaryDirectory() as directory:
        for name, text in TREE.items():
            if name == file and old:
                assert text.count(old) >= 1, old
                text = text.replace(old, new)
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        check = script.Check(Path(directory), once)
        check.check_rows()
        check.check_strangers()
        return check.wrong


def main() -> int:
    script, failed = load(), 0
    for name, file, old, new, expected in CASES:
        wrong = complaints(script, file, old, new)
        good = any(expected in line for line in wrong) if expected else not wrong
        failed += not good
        print(f"{'ok' if good else 'FAILED'} {name}" + ("" if good else f": {wrong}"))
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
