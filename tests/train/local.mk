check_PROGRAMS += tests/run_train
TESTS += tests/run_train
tests_run_train_SOURCES = $(unit_main) tests/train/test_save.c tests/train/test_golden.c tests/train/test_loop.c tests/train/test_block.c tests/train/test_parts.c \
	tests/ref/ref_backward.h tests/ref/ref_backward.c tests/ref/ref_block.c tests/ref/ref.h tests/train/test_watch.c
tests_run_train_CPPFLAGS = $(unit_cppflags)
tests_run_train_LDADD = $(unit_ldadd) -lm
EXTRA_DIST += tests/data/train/optimizer tests/data/train/v2-lite tests/data/train/v3-bias tests/data/train/v3-mtp tests/data/train/v3-seq-mask tests/data/train/v3-seqaux tests/data/train/v3-small tests/data/train/v3-yarn
