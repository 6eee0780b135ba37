liblathe_la_SOURCES += \
	src/num/real.h src/num/dtype.c src/num/dtype.h src/num/par.c src/num/par.h src/num/gemm.c src/num/gemm.h \
	src/num/rows.c src/num/rows.h src/num/topk.c src/num/topk.h src/num/limits.c src/num/limits.h src/num/eigen.c src/num/eigen.h \
	src/num/kernels.c src/num/kernels.h \
	src/num/fp8_format.c src/num/fp8_format.h src/num/fp8_quant.c src/num/fp8_quant.h src/num/fp8_stats.c src/num/fp8_stats.h src/num/fp8_gemm.c src/num/fp8_gemm.h
# One source, one convenience library per instruction set. Vectors never pass through a call, hence -Wno-psabi.
kern_sources = src/num/kern.c src/num/kernel_sets.h src/num/kern_vec.h src/num/kern_expand.h src/num/kern_chain.h \
	src/num/kern_nt.h src/num/kern_apart.h src/num/kern_nn.h src/num/kern_rows.h src/num/kern_fp8.h src/num/kern_probe.h
# KERN_SAN: checks of each address cost minutes over unrolled tiles; under gcc AddressSanitizer and the arithmetic checks stay on.
kern_cflags = $(AM_CFLAGS) -Wno-psabi $(KERN_SAN)
kern_flags_avx2 = -mavx2 -mfma -mf16c -mbmi2
kern_flags_avx512 = $(kern_flags_avx2) -mavx512f -mavx512bw -mavx512vl -mavx512dq
noinst_LTLIBRARIES += libkern_generic.la
libkern_generic_la_SOURCES = $(kern_sources)
libkern_generic_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_GENERIC
libkern_generic_la_CFLAGS = $(kern_cflags)
liblathe_la_LIBADD += libkern_generic.la
if X86_KERNELS
noinst_LTLIBRARIES += libkern_sse2.la libkern_avx2.la libkern_avx512.la libkern_avx512bf16.la
libkern_sse2_la_SOURCES = $(kern_sources)
libkern_sse2_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_SSE2
libkern_sse2_la_CFLAGS = $(kern_cflags) -msse2
libkern_avx2_la_SOURCES = $(kern_sources)
libkern_avx2_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_AVX2
libkern_avx2_la_CFLAGS = $(kern_cflags) $(kern_flags_avx2)
libkern_avx512_la_SOURCES = $(kern_sources)
libkern_avx512_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_AVX512
libkern_avx512_la_CFLAGS = $(kern_cflags) $(kern_flags_avx512)
libkern_avx512bf16_la_SOURCES = $(kern_sources)
libkern_avx512bf16_la_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_AVX512BF16
libkern_avx512bf16_la_CFLAGS = $(kern_cflags) $(kern_flags_avx512) -mavx512bf16
liblathe_la_LIBADD += libkern_sse2.la libkern_avx2.la libkern_avx512.la libkern_avx512bf16.la
endif
