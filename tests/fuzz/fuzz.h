/* fuzz.h - what a fuzz target is: one function that takes any bytes and returns. It runs under libFuzzer
 * (configure --enable-fuzzing) or, everywhere else, under driver.c with the seeds and their mutations. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0. Keeps nothing between calls; frees what it took; touches no file outside a temporary folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input. */
#define FUZZ_CHECK(c) ((c) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c), abort()))
#endif
