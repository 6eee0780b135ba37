/* test_grad.c - the table of ops, and every op of it against central differences. */
#include "tests/unit.h"
#include "tests/ops/gradcheck.h"
#include "ops/op.h"
#include <string.h>

TEST(every_op_says_what_it_is)
{
	for (int i = 0; op_table[i]; i++) {
		const Op *op = op_table[i];
		assert_non_null(op->name);
		assert_true(op->equation && *op->equation);
		assert_true(op->doc && *op->doc);
		assert_true(op->source && *op->source);
		assert_non_null(op->fwd);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(op_table[k]->name, op->name);
	}
}

TEST(gradients_of_every_op)
{
	Pool *p = pool_new(2);
	Tape *t = tape_new(p, 0);
	int bad = 0;
	for (int i = 0; op_table[i]; i++) {
		GradReport r;
		if (!gradcheck_op(t, op_table[i], &r)) {
			print_error("%s\n", r.text);
			bad++;
		}
		print_message("# %-14s %d cases, worst %.2g\n", op_table[i]->name, r.cases, r.worst);
	}
	tape_free(t);
	pool_free(p);
	assert_int_equal(bad, 0);
}

/* An op whose gradient vanishes, and one that forgets a term, must both be caught. */
static Ten *vacuous_case(Tape *t, int i, OpCase *c)
{
	return i < 2 ? scale(t, case_leaf(t, c, REAL_DTYPE, 2, 3, 1), 0) : NULL;
}

static void wrong_back(Tape *t, Node *n)
{
	real *d = tape_grad(t, n->in[0]);
	for (int64_t i = 0; d && i < ten_count(n->in[0]); i++)
		d[i] += 2 * op_grad_in(n->out[0])[i];
}

static void wrong_fwd(Tape *t, Node *n)
{
	(void)t;
	for (int64_t i = 0; i < ten_count(n->in[0]); i++)
		ten_real(n->out[0])[i] = 3 * ten_real(n->in[0])[i];
}

static Ten *wrong_case(Tape *t, int i, OpCase *c);
static const Op op_wrong = { .name = "wrong", .fwd = wrong_fwd, .bwd_x = wrong_back, .cases = wrong_case };

static Ten *wrong_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	Ten *x = case_leaf(t, c, REAL_DTYPE, 2, 3, 1);
	Node *n = tape_node(t, &op_wrong, 1, &x);
	return tape_run(t, n, tape_ten2(t, 2, 3));
}

TEST(gradient_check_refuses_vacuous_and_wrong)
{
	Pool *p = pool_new(1);
	Tape *t = tape_new(p, 0);
	Op op = op_scale;
	GradReport r;
	op.cases = vacuous_case;
	assert_false(gradcheck_op(t, &op, &r));
	assert_non_null(strstr(r.text, "all zero"));
	assert_false(gradcheck_op(t, &op_wrong, &r));
	assert_non_null(strstr(r.text, "by differences"));
	tape_free(t);
	pool_free(p);
}

/* The words of Op.args are what scripts and the manual go by. */
TEST(arguments_of_ops_are_well_formed)
{
	for (int i = 0; op_table[i]; i++) {
		const Op *op = op_table[i];
		assert_int_equal(op->args != NULL, op->call != NULL);
		int n = 0;
		for (const char *s = op->args; s && *s; n++) {
			size_t name = strcspn(s, ": ");
			assert_true(name > 0 && s[name] == ':' && s[name + 1] && strchr("tnil", s[name + 1]));
			s += name + 2;
			s += *s == '?';
			assert_true(*s == 0 || *s == ' ');
			s += *s == ' ';
		}
		assert_true(n <= OP_MAXARGS);
	}
}
