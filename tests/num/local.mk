# The sixteen-lane kernels are run here on any machine with AVX2, as the set emu512 (not part of the library).
check_PROGRAMS += tests/run_num
TESTS += tests/run_num
tests_run_num_SOURCES = $(unit_main) tests/num/test_dtype.c tests/num/test_par.c tests/num/test_gemm.c tests/num/test_rows.c \
	tests/num/test_topk.c tests/num/test_limits.c tests/num/test_eigen.c tests/num/test_fp8.c
tests_run_num_CPPFLAGS = $(unit_cppflags)
tests_run_num_LDADD = $(unit_ldadd) $(CBLAS_LIBS)
if X86_KERNELS
check_LTLIBRARIES += libkern_emu512.la
libkern_emu512_la_SOURCES = $(kern_sources)
libkern_emu512_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_EMU512
libkern_emu512_la_CFLAGS = $(kern_cflags) $(kern_flags_avx2)
tests_run_num_CPPFLAGS += -DTEST_EMU512
tests_run_num_LDADD += libkern_emu512.la
endif
