liblathe_la_SOURCES += src/ops/ops.h src/ops/op.h src/ops/op.c src/ops/list.c src/ops/op_sums.c src/ops/op_each.c src/ops/op_rowwise.c src/ops/op_views.c src/ops/op_embed.c \
	src/ops/op_linear.c src/ops/quantised.c src/ops/quantised.h src/ops/op_rmsnorm.c src/ops/op_gates.c src/ops/op_rope.c src/ops/op_route.c src/ops/op_dispatch.c src/ops/op_token_logp.c src/ops/op_policy_loss.c src/ops/op_value_loss.c \
	src/ops/op_cross_entropy.c src/ops/op_balance.c \
	src/ops/attend_core.h src/ops/attend_core.c src/ops/attend_backward.c src/ops/op_attend.c src/ops/op_attend_parts.c \
	src/ops/op_attend_latent.c
