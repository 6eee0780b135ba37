check_PROGRAMS += tests/run_tensor
TESTS += tests/run_tensor
tests_run_tensor_SOURCES = $(unit_main) tests/tensor/test_scan.c tests/tensor/test_hostile.c tests/tensor/test_write.c tests/tensor/test_tensor.c
tests_run_tensor_CPPFLAGS = $(unit_cppflags)
tests_run_tensor_LDADD = $(unit_ldadd)
EXTRA_DIST += tests/data/hostile/checkpoint-cases.jsonl tests/data/hostile/safetensors tests/data/hostile/index tests/data/hostile/config
