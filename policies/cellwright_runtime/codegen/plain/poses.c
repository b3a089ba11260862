
/* Looks at the bits, so that no optimisation can leave it out. */
static int is_real(double x) {
    union {
        double number;
        uint64_t bits;
    } seen;
    seen.number = x;
    return (seen.bits & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000);
}

static int all_real(const double *values, int32_t count) {
    int real = 1;
    for (int32_t i = 0; i < count; i++) {
        real = real && is_real(values[i]);
    }
    return real;
}

static double least_of(double x, double y) { return y < x ? y : x; }
static double most_of(double x, double y) { return y > x ? y : x; }
static double clamped(double x, double low, double high) { return least_of(most_of(x, low), high); }

static double length_of(const double v[3]) { return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

static double distance_of(const double one[3], const double other[3]) {
    const double way[3] = {one[0] - other[0], one[1] - other[1], one[2] - other[2]};
    return length_of(way);
}

/* Rows of the matrix of a rotation vector (Rodrigues). */
static void rotation_rows(const double turn[3], double rows[9]) {
    const double angle = length_of(turn);
    if (angle < 1e-12) {
        for (int i = 0; i < 9; i++) {
            rows[i] = i % 4 == 0 ? 1.0 : 0.0;
        }
        return;
    }
    const double x = turn[0] / angle, y = turn[1] / angle, z = turn[2] / angle;
    const double c = cos(angle), s = sin(angle), t = 1.0 - c;
    rows[0] = t * x * x + c;
    rows[1] = t * x * y - s * z;
    rows[2] = t * x * z + s * y;
    rows[3] = t * x * y + s * z;
    rows[4] = t * y * y + c;
    rows[5] = t * y * z - s * x;
    rows[6] = t * x * z - s * y;
    rows[7] = t * y * z + s * x;
    rows[8] = t * z * z + c;
}

/* Rotation vector, no longer than half a turn, of a matrix. */
static void rotation_vector(const double m[9], double turn[3]) {
    /* Four times the squares of the quaternion: the largest of them is far from zero. */
    const double squares[4] = {1.0 + m[0] + m[4] + m[8], 1.0 + m[0] - m[4] - m[8], 1.0 - m[0] + m[4] - m[8],
                               1.0 - m[0] - m[4] + m[8]};
    const double choices[4][4] = {{squares[0], m[7] - m[5], m[2] - m[6], m[3] - m[1]},
                                  {m[7] - m[5], squares[1], m[1] + m[3], m[2] + m[6]},
                                  {m[2] - m[6], m[1] + m[3], squares[2], m[5] + m[7]},
                                  {m[3] - m[1], m[2] + m[6], m[5] + m[7], squares[3]}};
    int best = 0;
    for (int i = 1; i < 4; i++) {
        best = squares[i] > squares[best] ? i : best;
    }
    const double sign = choices[best][0] < 0.0 ? -1.0 : 1.0;
    const double w = sign * choices[best][0];
    const double axis[3] = {sign * choices[best][1], sign * choices[best][2], sign * choices[best][3]};
    const double sine = length_of(axis);
    const double scale = sine > 0.0 ? 2.0 * atan2(sine, w) / sine : 0.0;
    for (int i = 0; i < 3; i++) {
        turn[i] = scale * axis[i];
    }
}

/* left * right, or left * right transposed. */
static void product_of(const double left[9], const double right[9], int transposed, double out[9]) {
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 3; column++) {
            double sum = 0.0;
            for (int k = 0; k < 3; k++) {
                sum += left[3 * row + k] * (transposed ? right[3 * column + k] : right[3 * k + column]);
            }
            out[3 * row + column] = sum;
        }
    }
}

/* Of all rotation vectors of a turn, the one that is nearer to `near`. */
static void nearest(double turn[3], const double near[3]) {
    const double half = 3.14159265358979323846;
    const double angle = length_of(turn);
    if (angle < 0.5 * half) {
        return;
    }
    const double scale = (angle - 2.0 * half) / angle;
    const double other[3] = {scale * turn[0], scale * turn[1], scale * turn[2]};
    if (distance_of(turn, near) > distance_of(other, near)) {
        for (int i = 0; i < 3; i++) {
            turn[i] = other[i];
        }
    }
}

static void turns_from(cw_envelope_turns *turns, const double pose[6]) {
    rotation_rows(pose + 3, turns->reference);
    for (int i = 0; i < 3; i++) {
        turns->turn[i] = 0.0;
    }
}

static void coordinates_of(cw_envelope_turns *turns, const double pose[6], double coordinates[6]) {
    double rows[9], turned[9];
    rotation_rows(pose + 3, rows);
    product_of(rows, turns->reference, 1, turned);
    for (int i = 0; i < 3; i++) {
        coordinates[i] = pose[i];
    }
    rotation_vector(turned, coordinates + 3);
    nearest(coordinates + 3, turns->turn);
    for (int i = 0; i < 3; i++) {
        turns->turn[i] = coordinates[3 + i];
    }
}

static void pose_of(const cw_envelope_turns *turns, const double coordinates[6], double pose[6]) {
    double rows[9], turned[9];
    rotation_rows(coordinates + 3, rows);
    product_of(rows, turns->reference, 0, turned);
    for (int i = 0; i < 3; i++) {
        pose[i] = coordinates[i];
    }
    rotation_vector(turned, pose + 3);
}

/* Angle of the turn from one rotation to another. */
static double angle_between(const double one[9], const double other[9]) {
    double trace = 0.0;
    for (int i = 0; i < 9; i++) {
        trace += one[i] * other[i];
    }
    return acos(clamped(0.5 * (trace - 1.0), -1.0, 1.0));
}
