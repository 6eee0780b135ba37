check_PROGRAMS += tests/run_model
TESTS += tests/run_model
tests_run_model_SOURCES = $(unit_main) tests/model/test_config.c tests/model/test_forms.c tests/model/test_records.c
tests_run_model_CPPFLAGS = $(unit_cppflags)
tests_run_model_LDADD = $(unit_ldadd)
EXTRA_DIST += tests/data/models
