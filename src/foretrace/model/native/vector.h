/* Registers of one kind of processor, and the few things that differ between them; part of `attention_body.h`.
 *
 * A word is what one multiplication takes: a float, or (PAIR 2) two bfloat16 of which both products are added.
 */

#define VEC NAME(vec)
#define INTS NAME(ints)
typedef float VEC __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t INTS __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define LOAD(from) (*(const VEC *)(from))
#define STORE(to, value) (*(VEC *)(to) = (value))
#define SPLAT(value) ((value) - (VEC){0})

INLINE TARGET VEC NAME(greater)(VEC a, VEC b)
{
#if LANES == 16
    return (VEC)_mm512_max_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (VEC)_mm256_max_ps((__m256)a, (__m256)b);
#else
    const INTS is_greater = a > b;
    return (VEC)((is_greater & (INTS)a) | (~is_greater & (INTS)b));
#endif
}

/* A word in every lane. */
INLINE TARGET VEC NAME(broadcast)(const uint32_t *word)
{
#if LANES == 16
    return (VEC)_mm512_set1_epi32((int32_t)*word);
#else
    float value;
    memcpy(&value, word, 4);
    return SPLAT(value);
#endif
}

/* sum + a * b, where a and b are words. */
INLINE TARGET VEC NAME(multiply_add)(VEC sum, VEC a, VEC b)
{
#if PAIR == 2
    return (VEC)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    return sum + a * b;
#endif
}

/* 2^x for x <= 0 to 2e-7 relative; exactly 0 far below. The polynomial is the best of degree 5 on [-1/2, 1/2] that is
 * 1 at 0 (least greatest relative error). */
INLINE TARGET VEC NAME(exp2)(VEC x)
{
#if LANES == 16
    const VEC whole = (VEC)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    x = NAME(greater)(x, SPLAT(-127.0f));
    const VEC shifted = x + SPLAT(12582912.0f); /* 1.5 * 2^23: leaves the nearest integer in the lowest bits */
    const VEC whole = shifted - SPLAT(12582912.0f);
#endif
    const VEC r = x - whole;
    VEC p = r * SPLAT(1.326472731e-3f) + SPLAT(9.671512991e-3f);
    p = p * r + SPLAT(5.550733581e-2f);
    p = p * r + SPLAT(2.402224243e-1f);
    p = p * r + SPLAT(6.931470037e-1f);
    p = p * r + SPLAT(1.0f);
#if LANES == 16
    return (VEC)_mm512_scalef_ps((__m512)p, (__m512)whole);
#else
    return (VEC)((INTS)p + ((INTS)shifted << 23));
#endif
}

#if PAIR == 2
/* 16 bfloat16 in each half: a word of one from either, one after the other. */
INLINE TARGET __m512i NAME(interleave)(__m512i halves)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, //
                                           23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, halves);
}
#endif

/* Two rows of floats as words that pair their elements (PAIR 1: as they are, `row` words apart). */
INLINE TARGET void NAME(put_pairs)(uint32_t *to, int64_t row, VEC first, VEC second)
{
#if PAIR == 2
    (void)row;
    _mm512_storeu_si512(to, NAME(interleave)((__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first)));
#else
    STORE(to, first);
    STORE(to + row, second);
#endif
}

/* Two rows of floats as words that pair neighbours in each, `row` words apart. */
INLINE TARGET void NAME(put_rows)(uint32_t *to, int64_t row, VEC first, VEC second)
{
#if PAIR == 2
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(both));
    _mm256_storeu_si256((__m256i *)(to + row), _mm512_extracti64x4_epi64(both, 1));
#else
    NAME(put_pairs)(to, row, first, second);
#endif
}
