# Golden screens: recordings made by make_rec (train.rec: by `lathe train addition`, 60 steps; trace.rec:
# by `lathe scene trace data/reason -p "a17+26=<think>" -n 30 --record trace.rec --keys ":token 12<Enter>b:scene tensors<Enter>jj:scene diff<Enter>:scene trace<Enter>"`;
# fp8.rec: by `lathe scene fp8 outlier -p "once upon a time" --record fp8.rec`, outlier being data/domains with row 9 of layer 2's
# mlp.shared_experts.up_proj times 65536, and column 9 of its down_proj divided by that;
# rl.rec: by `lathe rl grpo-mult2 --threads 1 --steps 7` with --set of seed=4 prompts=4 group=6 max_new=56 eval_n=16 eval_some=16 eval_every=3 updates=2
# checkpoint_every=0), drawn by App, compared with tests/screen/golden. `make golden` draws them anew.
check_PROGRAMS += tests/make_rec
tests_make_rec_SOURCES = tests/screen/make_rec.c
tests_make_rec_CPPFLAGS = $(unit_cppflags)
tests_make_rec_LDADD = libview.la liblathe.la
EXTRA_DIST += tests/screen/v3.rec tests/screen/v2.rec tests/screen/wide.rec tests/screen/empty.rec tests/screen/train.rec tests/screen/trace.rec tests/screen/fp8.rec tests/screen/rl.rec tests/screen/golden
.PHONY: golden
golden: tests/make_rec tests/run_view
	for n in v3 v2 wide empty; do rm -f $(srcdir)/tests/screen/$$n.rec && tests/make_rec $$n $(srcdir)/tests/screen/$$n.rec || exit 1; done
	mkdir -p $(srcdir)/tests/screen/golden
	srcdir='$(srcdir)' LATHE_GOLDEN=write LC_ALL=C.UTF-8 tests/run_view golden
