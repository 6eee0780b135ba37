# Pages of section 1 are printed by the program itself from its command table; `make man-pages` writes them anew, tests/cli/man.sh compares.
man_made = lathe open generate info kv tokenize verify diff fp8 convert train rl eval run repl scene bench engine attach record replay doctor help explain
dist_man_MANS += man/lathe.1 man/lathe-open.1 man/lathe-generate.1 man/lathe-info.1 man/lathe-kv.1 man/lathe-tokenize.1 \
	man/lathe-verify.1 man/lathe-diff.1 man/lathe-fp8.1 man/lathe-convert.1 man/lathe-train.1 man/lathe-rl.1 man/lathe-eval.1 man/lathe-run.1 man/lathe-repl.1 man/lathe-scene.1 man/lathe-bench.1 man/lathe-engine.1 \
	man/lathe-attach.1 man/lathe-record.1 man/lathe-replay.1 man/lathe-doctor.1 man/lathe-help.1 man/lathe-explain.1
dist_man_MANS += man/lathe-mla.7 man/lathe-moe.7 man/lathe-mtp.7 man/lathe-grpo.7 man/lathe-determinism.7 man/lathe-security.7
# The module of scripts: page and editor stubs, from the tables in src/script and the comments in lua/lathe; tests/cli/run.sh compares.
dist_man_MANS += man/lathe.3lua
dist_man_MANS += man/lathe-stream.5 man/lathe-scene.5 man/lathe-config.5 man/lathe-probes.7

man-pages: lathe$(EXEEXT)
	for p in $(man_made); do f=lathe-$$p.1; test $$p = lathe && f=lathe.1; \
		./lathe help --man $$p > $(srcdir)/man/$$f.new && mv $(srcdir)/man/$$f.new $(srcdir)/man/$$f || exit 1; done
	./lathe help --lua > $(srcdir)/man/lathe.3lua.new && mv $(srcdir)/man/lathe.3lua.new $(srcdir)/man/lathe.3lua
	./lathe help --lua-stubs > $(srcdir)/lua/lathe.d.lua.new && mv $(srcdir)/lua/lathe.d.lua.new $(srcdir)/lua/lathe.d.lua
.PHONY: man-pages
