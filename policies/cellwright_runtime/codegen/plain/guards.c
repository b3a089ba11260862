
/* A group of numbers: finite, and within what was trained. */
static cw_fault read_group(const float *values, const double *low, const double *high, int32_t count,
                           int32_t *element) {
    double worst = 0.0;
    *element = -1;
    for (int32_t i = 0; i < count; i++) {
        if (!is_real((double)values[i])) {
            *element = i;
            return CW_FAULT_NOT_FINITE;
        }
    }
    for (int32_t i = 0; i < count; i++) {
        const double beyond = most_of(low[i] - (double)values[i], (double)values[i] - high[i]);
        if (beyond > worst) {
            worst = beyond;
            *element = i;
        }
    }
    return *element < 0 ? CW_FAULT_NONE : CW_FAULT_OUT_OF_RANGE;
}

/* One view of a picture: it shows something, and it changes while the robot moves. */
static cw_fault look_at(cw_envelope *e, double now_s, const uint8_t *pixels, int32_t count, int32_t view,
                        int32_t begins, int moving) {
    uint8_t *seen = e->seen + begins;
    int64_t sum = 0, squares = 0;
    int same = e->known[view];
    for (int32_t i = 0; i < count; i++) {
        sum += pixels[i];
        squares += (int64_t)pixels[i] * pixels[i];
        same = same && pixels[i] == seen[i];
    }
    int64_t spread = count * squares - sum * sum;
    if (sqrt((double)spread) / count < blank_grey[view]) {
        return CW_FAULT_BLANK;
    }
    if (!same || !moving || spread == 0) {
        for (int32_t i = 0; i < count; i++) {
            seen[i] = pixels[i];
        }
        e->known[view] = 1;
        e->since_s[view] = now_s;
        return CW_FAULT_NONE;
    }
    return now_s - e->since_s[view] > still_s[view] ? CW_FAULT_FROZEN : CW_FAULT_NONE;
}
