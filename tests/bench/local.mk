# `make bench` builds and runs the bench programs; each prints tab-separated rows.
bench_programs = tests/bench/bench_gemm tests/bench/bench_text
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)
tests_bench_bench_gemm_SOURCES = tests/bench/bench_gemm.c
tests_bench_bench_gemm_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_bench_bench_gemm_LDADD = liblathe.la $(CBLAS_LIBS)
tests_bench_bench_text_SOURCES = tests/bench/bench_text.c
tests_bench_bench_text_LDADD = liblathe.la
.PHONY: bench
bench: $(bench_programs) lathe$(EXEEXT)
	for b in $(bench_programs); do srcdir='$(srcdir)' OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ./$$b || exit 1; done
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ./lathe bench grpo @reason --threads 1 --repeats 3
