// Unsupported instructions and unknown modifiers are refused by name before a launch.
#include <gtest/gtest.h>

#include "opcode.h"
#include "test_kernels.h"

namespace ptx {
namespace {

std::string error_of_launch(const std::string& body) {
  const std::vector<std::uint32_t> x = {1};
  try {
    evaluate<std::uint32_t>(body, x);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(PtxRefusal, NamesOpcodeLineAndKernel) {
  const std::string error = error_of_launch("\nadd.sat.s32 %d, %a0, 1;");
  EXPECT_NE(error.find("[instruction] refused instruction add.sat.s32 in PTX line 2"), std::string::npos)
      << error;
  EXPECT_NE(error.find("add.sat.s32 %d, %a0, 1"), std::string::npos) << error;
}

// The launch is refused even if no thread would reach the instruction.
TEST(PtxRefusal, ComesBeforeTheLaunch) {
  EXPECT_NE(
      error_of_launch("bra behind; mad.sat.s32 %d, %a0, 1, 1; behind: mov.u32 %d, 1;").find("mad.sat.s32"),
      std::string::npos);
  EXPECT_NE(error_of_launch("bra behind; trap; behind: mov.u32 %d, 1;").find("trap"), std::string::npos);
}

// nvcc generates calls for printf, assert and functions that it does not inline.
TEST(PtxRefusal, ACallIsNamedBeforeItsArguments) {
  const std::string error = error_of_launch(
      "{ .param .b64 param0; st.param.b64 [param0+0], %address; .param .b32 retval0; "
      "call.uni (retval0), vprintf, (param0); ld.param.b32 %d, [retval0+0]; }");
  EXPECT_NE(error.find("refused instruction call.uni"), std::string::npos) << error;
  EXPECT_NE(error.find("vprintf"), std::string::npos) << error;
}

TEST(PtxRefusal, OperandsThatDoNotFitAreRefused) {
  for (const char* body :
       {"mov.u32 %d, %clock;", "mov.u32 %d, nowhere;", "mov.b64 %d, %a0;", "add.u32 %d, %a0;",
        "selp.u32 %d, 1, 0, !%q0;", "bar.sync 0, 32; mov.u32 %d, 1;", "ld.global.v2.b32 %d, [%address];",
        "bra nowhere;", "ld.global.b32 %d, %address;", "setp.lt.u32 %q0, %a0;",
        "setp.lt.and.u32 %q0, %a0, %d;", "cvt.u32.u64 %d, %a0;", "mov.b32 {%d, %a0}, %a0;"})
    EXPECT_NE(error_of_launch(body).find("refused instruction"), std::string::npos) << body;
}

// Each opcode covers one possible mistake of a handler: ignoring a modifier, or executing a similar
// instruction instead.
TEST(PtxRefusal, UnknownFormsOfKnownInstructionsAreRefused) {
  for (const char* opcode : {"add.sat.s32",
                             "add.cc.u32",
                             "addc.u32",
                             "add.rn.ftz.sat.f64",
                             "add.rz.ftz.f32",
                             "add.rz.f64",
                             "add.f16x2",
                             "add.rn.f16",
                             "fma.rn.relu.f16",
                             "fma.f32",
                             "mad.rn.f32",
                             "mul.s32",
                             "mul.wide.s64",
                             "mad.lo.sat.s32",
                             "mad24.lo.s32",
                             "min.NaN.f32",
                             "min.xorsign.abs.f32",
                             "max.relu.s16x2",
                             "max3.f32",
                             "div.rz.f32",
                             "div.f32",
                             "sqrt.rz.f32",
                             "sqrt.f32",
                             "rcp.rm.f32",
                             "rsqrt.approx.ftz.f64",
                             "sin.f32",
                             "tanh.approx.f16",
                             "ex2.approx.f16",
                             "abs.bf16",
                             "neg.f16",
                             "copysign.ftz.f32",
                             "setp.lt.ftz.f32",
                             "setp.eq.f16",
                             "setp.lo.s32",
                             "set.lt.u32.f32",
                             "slct.s32.f32",
                             "selp.pred",
                             "mov.b128",
                             "cvt.rn.relu.bf16.f32",
                             "cvt.rna.satfinite.tf32.f32",
                             "cvt.rn.tf32.f32",
                             "cvt.rn.f16.f32",
                             "cvt.rz.bf16.f32",
                             "cvt.f32.f64",
                             "cvt.s32.f32",
                             "cvt.f32.s32",
                             "cvt.rni.ftz.f32.f32",
                             "cvt.rn.satfinite.e4m3x2.f32",
                             "cvt.pack.sat.u8.s32.b32",
                             "shf.l.b32",
                             "shl.s32",
                             "shr.b8",
                             "bfe.b32",
                             "bfind.u32",
                             "fns.b32",
                             "dp4a.u32.u32",
                             "vadd.s32.s32.s32",
                             "lop3.or.b32",
                             "prmt.b32.f4e",
                             "popc.u32",
                             "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
                             "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32",
                             "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32",
                             "mma.sync.aligned.m16n8k8.row.col.satfinite.f32.tf32.tf32.f32",
                             "wgmma.fence.sync.aligned",
                             "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                             "ld.global.nc.L1::no_allocate.f32",
                             "ld.acquire.gpu.global.u32",
                             "ld.volatile.global.u32",
                             "ld.shared::cluster.u32",
                             "ld.global.v8.f32",
                             "ldu.global.f32",
                             "st.release.gpu.global.u32",
                             "st.volatile.global.u32",
                             "st.shared.wb.f32",
                             "st.async.b32",
                             "atom.global.add.noftz.f16",
                             "atom.global.cas.b16",
                             "atom.acquire.gpu.global.add.u32",
                             "atom.shared::cluster.add.u32",
                             "atom.global.add.v2.f32",
                             "red.async.add.u32",
                             "red.global.exch.b32",
                             "cp.async.ca.shared.global",
                             "cp.async.bulk.shared.global",
                             "prefetch.global.L2",
                             "bar.red.popc.u32",
                             "bar.arrive",
                             "bar.cta.sync.all",
                             "barrier.cluster.arrive",
                             "shfl.bfly.b32",
                             "shfl.sync.bfly.b64",
                             "vote.all.pred",
                             "match.any.sync.b32",
                             "redux.sync.add.s32",
                             "elect.sync",
                             "fence.mbarrier_init.release.cluster",
                             "brx.idx",
                             "call.uni",
                             "trap",
                             "exit.uni",
                             "tex.2d.v4.f32.s32",
                             "isspacep.shared",
                             "mapa.u64",
                             "griddepcontrol",
                             "discard.global.L2",
                             "nonsense"})
    EXPECT_FALSE(Opcode(opcode).is_known()) << opcode;
}

TEST(PtxRefusal, FormsThatKernelsUseAreSupported) {
  for (const char* opcode : {"add.f32",
                             "add.rn.f32",
                             "add.rz.f32",
                             "add.s64",
                             "fma.rm.f32",
                             "fma.rn.ftz.sat.f32",
                             "mul.wide.u16",
                             "ex2.approx.ftz.f32",
                             "rcp.approx.ftz.f64",
                             "cvt.sat.f32.f32",
                             "cvt.rna.tf32.f32",
                             "cvt.rzi.u32.f32",
                             "setp.gtu.f64",
                             "setp.lt.and.s32",
                             "ld.global.nc.v4.f32",
                             "ld.shared.v4.f32",
                             "ld.param.v4.u8",
                             "st.global.wb.v4.f32",
                             "atom.global.inc.u32",
                             "cvta.to.global.u64",
                             "bar.sync",
                             "bar.warp.sync",
                             "shfl.sync.bfly.b32",
                             "griddepcontrol.launch_dependents",
                             "membar.gl",
                             "bra.uni",
                             "ret"})
    EXPECT_TRUE(Opcode(opcode).is_known()) << opcode;
}

}  // namespace
}  // namespace ptx
