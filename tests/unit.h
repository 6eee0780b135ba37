/* unit.h - TEST(name) { ... } registers itself; unit_main.c runs all of them under cmocka, in the order of
 * the file, printing TAP. `tests/run_X NAME...` runs only tests whose name contains one of the words. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
void unit_register(const char *name, void (*fn)(void **));
#define TEST(name) \
	static void test_##name(void **state); \
	__attribute__((constructor)) static void reg_##name(void) { unit_register(#name, test_##name); } \
	static void test_##name(void **state __attribute__((unused)))
/* Path of a file under the source tree: unit_src("tests/data/x"). Static buffer, valid until four calls
 * later. */
const char *unit_src(const char *rel);
/* A fresh temporary folder, removed at exit. */
const char *unit_tmp(void);
/* |a-b| <= atol + rtol*|b| */
#define assert_close(a, b, atol, rtol) unit_close((double)(a), (double)(b), (atol), (rtol), #a " against " #b, __FILE__, __LINE__)
void unit_close(double a, double b, double atol, double rtol, const char *what, const char *file, int line);
#endif
