#include "paper/binomial.h"

#include <math.h>

void binomial_interval(double share, double n, double *low, double *high)
{
    const double z = 1.959963984540054; /* of the normal distribution, 97.5 % */
    *low = *high = (double)NAN;
    if (!(n >= 1))
        return;
    double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
    double half =
        z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

void binomial_difference(double share, double n, double other, double m, double *low,
                         double *high)
{
    double share_low, share_high, other_low, other_high;
    binomial_interval(share, n, &share_low, &share_high);
    binomial_interval(other, m, &other_low, &other_high);
    *low = share - other - hypot(share - share_low, other_high - other);
    *high = share - other + hypot(share_high - share, other - other_low);
}

double binomial_at_least(int m, int k, double q)
{
    double sum = 0;
    for (int j = k; j <= m; j++) {
        double choose = lgamma(m + 1) - lgamma(j + 1) - lgamma(m - j + 1);
        sum += exp(choose) * pow(q, j) * pow(1 - q, m - j);
    }
    return fmin(1, sum);
}
