# Fuzz targets. A target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput (fuzz.h) and a folder of small
# seed files, tests/fuzz/seeds/NAME/. To add one, put these lines at the end of this file:
#
#   check_PROGRAMS += tests/fuzz/fuzz_NAME
#   tests_fuzz_fuzz_NAME_SOURCES = tests/fuzz/fuzz_NAME.c $(fuzz_main)
#   tests_fuzz_fuzz_NAME_LDFLAGS = $(fuzz_ldflags)
#   tests_fuzz_fuzz_NAME_LDADD = $(fuzz_ldadd)
#
# That is all: run.sh runs every built target, the seeds folder is shipped whole. A target that needs a file
# (a reader that opens a path) writes its input into memfd_create or one temporary file that it makes once and
# rewrites; it includes "fuzz.h" and the headers under src/ as "folder/file.h". An input that once
# failed becomes a seed. By hand, without the build:
#   cc -g -fsanitize=address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/fuzz_NAME.c tests/fuzz/driver.c
#       src/base/*.c ... -lm -o f && ./f -t 10 tests/fuzz/seeds/NAME
if FUZZING
fuzz_main = tests/fuzz/fuzz.h
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_main = tests/fuzz/fuzz.h tests/fuzz/driver.c
fuzz_ldflags = $(AM_LDFLAGS)
endif
fuzz_ldadd = libview.la liblathe.la
dist_check_SCRIPTS += tests/fuzz/run.sh
TESTS += tests/fuzz/run.sh
EXTRA_DIST += tests/fuzz/seeds

check_PROGRAMS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(fuzz_main)
tests_fuzz_fuzz_json_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_json_LDADD = $(fuzz_ldadd) $(JANSSON_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_safe_text
tests_fuzz_fuzz_safe_text_SOURCES = tests/fuzz/fuzz_safe_text.c $(fuzz_main)
tests_fuzz_fuzz_safe_text_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_safe_text_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_glob
tests_fuzz_fuzz_glob_SOURCES = tests/fuzz/fuzz_glob.c $(fuzz_main)
tests_fuzz_fuzz_glob_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_glob_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_stream
tests_fuzz_fuzz_stream_SOURCES = tests/fuzz/fuzz_stream.c $(fuzz_main)
tests_fuzz_fuzz_stream_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_stream_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c $(fuzz_main)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_safetensors_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_index
tests_fuzz_fuzz_index_SOURCES = tests/fuzz/fuzz_index.c $(fuzz_main)
tests_fuzz_fuzz_index_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_index_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_main)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_LDADD = $(fuzz_ldadd)

check_PROGRAMS += tests/fuzz/fuzz_tokenizer
tests_fuzz_fuzz_tokenizer_SOURCES = tests/fuzz/fuzz_tokenizer.c $(fuzz_main)
tests_fuzz_fuzz_tokenizer_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_tokenizer_LDADD = $(fuzz_ldadd)
