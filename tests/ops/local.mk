check_PROGRAMS += tests/run_ops
TESTS += tests/run_ops
tests_run_ops_SOURCES = $(unit_main) tests/ops/stand.c tests/ops/stand.h tests/ops/gradcheck.c tests/ops/gradcheck.h \
	tests/ref/ref.h tests/ref/ref_attend.c tests/ref/ref_block.c \
	tests/ops/test_grad.c tests/ops/test_tape.c tests/ops/test_block.c tests/ops/test_attend.c tests/ops/test_quantised.c
tests_run_ops_CPPFLAGS = $(unit_cppflags)
tests_run_ops_LDADD = $(unit_ldadd) -lm
