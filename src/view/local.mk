libview_la_SOURCES += src/view/grid.c src/view/grid.h src/view/ansi.c src/view/picture.c src/view/pen.c src/view/pen.h src/view/key.c src/view/key.h \
	src/view/theme.c src/view/theme.h src/view/facts.c src/view/facts.h src/view/scene.h src/view/layout.c src/view/data.h \
	src/view/source.c src/view/source_router.c src/view/source_cache.c src/view/source_token.c src/view/source_train.c src/view/source_rl.c src/view/app_answer.c src/view/app_messages.c src/view/flow.c src/view/source_mla.c src/view/source_moe.c src/view/source_mtp.c \
	src/view/probe_rows.c src/view/probe_rows.h src/view/facts_trace.c src/view/facts_trace.h \
	src/view/source_trace.c src/view/source_tensors.c src/view/source_diff.c src/view/source_fp8.c src/view/app_tensors.c src/view/app_branch.c \
	src/view/view.c src/view/view.h src/view/heat.c src/view/bars.c src/view/line.c src/view/table.c src/view/text.c \
	src/view/lineedit.c src/view/lineedit.h src/view/app.c src/view/app.h src/view/app_state.h src/view/app_frame.c \
	src/view/app_keys.c src/view/app_command.c src/view/app_select.c src/view/app_send.c src/view/app_export.c
