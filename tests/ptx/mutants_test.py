#!/usr/bin/env python3
"""Tests mutants.py: which mutations count as detected, which are errors, and which are drawn.

    mutants_test.py PROGRAM
"""
import random, re, sys, tempfile, unittest

import mutant_arithmetic, mutant_operators
from mutant_places import Kernel, kernels_of, unnumbered
from mutant_run import NotApplied, Tests
from mutants import COUNT, Mutation, draw

PROGRAM = sys.argv.pop()
TEST = "EmulatedBackend.ForeignMemoryIsViewed"  # fills four floats and adds them


def with_changes(kernel):
    """Returns the kernel with one more instruction, other registers, and a parameter whose type has another name."""
    lines = [re.sub(r"%(p|rs|r|rd|f|fd)(\d+)", lambda m: f"%{m[1]}{int(m[2]) + 1000}", line).replace("Args", "Options")
             for line in kernel.lines]
    lines.insert(kernel.instructions[0].line, "xor.b32 %r1, %r2, 123456789;")
    return Kernel(kernel.name.replace("Args", "Options"), kernel.label, lines, kernel.files)


class Mutants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernels = kernels_of(PROGRAM)
        cls.folder = tempfile.TemporaryDirectory()
        cls.tests = Tests(PROGRAM, TEST, cls.folder.name, {"default": None})
        cls.path = cls.tests.of("default")
        cls.fill = cls.kernel("fill_kernel")
        cls.store = next(i for i in cls.fill.by_head["st"] if "v4" in i.parts)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def kernel(cls, label):
        return next(k for k in cls.kernels if k.label == label)

    def find(self, instruction, new, old=None):
        return self.tests.find(Mutation("test", instruction, new, old), ["default"])

    def test_coverage_names_the_instructions_of_a_test(self):
        scalar = next(i for i in self.fill.by_head["st"] if "v4" not in i.parts)
        self.assertEqual(self.path.that_execute(self.store), [TEST])
        self.assertEqual(self.path.that_execute(scalar), [])
        self.assertEqual(self.path.that_execute(self.kernel("optimizer_kernel").instructions[0]), [])

    def test_wrong_accesses_are_found_by_the_executor(self):
        for function in (mutant_operators.wrong_space, mutant_operators.misaligned):
            self.assertEqual(self.find(self.store, function(self.store, random.Random(1)))["found"], "check")

    def test_wrong_numbers_are_found_by_the_test(self):
        add = next(i for i in self.kernel("sum_kernel").by_head["add"] if i.type == "f64")
        result = self.find(add, mutant_arithmetic.wrong_sign(add, random.Random(1)))
        self.assertEqual((result["found"], result["mode"]), ("values", "default"))
        self.assertIn(TEST, result["says"])

    def test_an_unchanged_instruction_survives(self):
        self.assertEqual(self.find(self.store, self.store.text),
                         {"found": None, "reached": True, "same_bits": True})

    def test_an_instruction_that_no_test_reaches_is_reported_as_unreached(self):
        scalar = next(i for i in self.fill.by_head["st"] if "v4" not in i.parts)
        not_reached = {"found": None, "reached": False, "same_bits": False}
        self.assertEqual(self.find(scalar, ""), not_reached)
        self.assertEqual(self.find(self.kernel("optimizer_kernel").instructions[0], ""), not_reached)

    def test_a_mutation_that_does_not_apply_is_an_error(self):
        with self.assertRaises(NotApplied):
            self.find(self.store, "", old="ret;")
        with self.assertRaises(NotApplied):  # the test does not load this kernel
            other = self.kernel("optimizer_kernel")
            self.path.of_kernel[other.name] = [(TEST, [(0, len(other.lines))])]
            try:
                self.find(other.instructions[0], "")
            finally:
                del self.path.of_kernel[other.name]

    def test_equal_seeds_draw_equal_lists(self):
        for operator in ("wrong-operand", "missing-fence"):
            first, second, other = ([str(m) for m in draw(self.kernels, operator, seed=s)] for s in (1, 1, 2))
            self.assertEqual(first, second)
            self.assertNotEqual(first, other)
            self.assertEqual(len(set(first)), COUNT)

    def test_templates_take_turns(self):
        templates = {m.instruction.kernel.template for m in draw(self.kernels, "off-by-one")}
        self.assertGreater(len(templates), COUNT / 2)

    def test_removing_a_kernel_keeps_the_mutations_of_the_others(self):
        for operator in ("dropped-store", "off-by-one", "missing-fence"):
            drawn = draw(self.kernels, operator)
            kernel = drawn[0].instruction.kernel
            without = {m.id for m in draw([k for k in self.kernels if k is not kernel], operator)}
            self.assertLessEqual({m.id for m in drawn if m.instruction.kernel is not kernel}, without)

    def test_changes_elsewhere_in_a_kernel_keep_its_mutations(self):
        for operator in ("dropped-store", "off-by-one", "wrong-compare"):
            drawn = draw(self.kernels, operator)
            kernel = drawn[0].instruction.kernel
            changed = draw([with_changes(k) if k is kernel else k for k in self.kernels], operator)
            self.assertEqual([m.id for m in changed], [m.id for m in drawn])
            self.assertNotEqual(changed[0].instruction.line, drawn[0].instruction.line)
            self.assertEqual(unnumbered(changed[0].new), unnumbered(drawn[0].new))


if __name__ == "__main__":
    unittest.main()
