#include "coordinator/edge/statistics.h"

#include <algorithm>
#include <cmath>

#include "common/vocabulary/check.h"

namespace ranktide {

namespace {

constexpr double kTiny = 1e-300;
constexpr double kEpsilon = 1e-15;
constexpr int kTermsMax = 10'000;

// std::lgamma writes the global signgam, which threads share; all arguments here are positive.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double away_from_zero(double x) {
  return std::abs(x) < kTiny ? kTiny : x;
}

// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
// Converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double h = d;
  for (int m = 1; m < kTermsMax; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < kEpsilon) break;
  }
  return h;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  RT_CHECK(a > 0);
  RT_CHECK(b > 0);
  RT_CHECK(x >= 0 && x <= 1);
  if (x == 0 || x == 1) return x;
  const double log_front =
      log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(a, b, x) / a;
  return 1 - std::exp(log_front) * beta_fraction(b, a, 1 - x) / b;
}

double incomplete_gamma(double a, double x) {
  RT_CHECK(a > 0);
  RT_CHECK(x >= 0);
  if (x == 0) return 0;
  const double front = std::exp(a * std::log(x) - x - log_gamma(a));
  if (x < a + 1) {  // the series converges (DLMF 8.11.4)
    double term = 1 / a;
    double sum = term;
    for (int n = 1; n < kTermsMax && term > sum * kEpsilon; ++n) sum += term *= x / (a + n);
    return front * sum;
  }
  double b = x + 1 - a;  // else the continued fraction of the upper one does (DLMF 8.9.2)
  double c = 1 / kTiny;
  double d = 1 / away_from_zero(b);
  double h = d;
  for (int n = 1; n < kTermsMax; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = 1 / away_from_zero(numerator * d + b);
    c = away_from_zero(b + numerator / c);
    h *= d * c;
    if (std::abs(d * c - 1) < kEpsilon) break;
  }
  return 1 - front * h;
}

double t_two_sided(double t, double df) {
  RT_CHECK(df > 0);
  RT_CHECK(t >= 0);
  return incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

double t_critical(double df, double confidence) {
  RT_CHECK(confidence > 0 && confidence < 1);
  const double alpha = 1 - confidence;
  double low = 0;
  double high = 1;
  while (t_two_sided(high, df) > alpha) high *= 2;
  for (int halving = 0; halving < 200 && high - low > 1e-14 * high; ++halving) {
    const double middle = (low + high) / 2;
    (t_two_sided(middle, df) > alpha ? low : high) = middle;
  }
  return (low + high) / 2;
}

double chi_squared_upper(double x, double df) {
  return 1 - incomplete_gamma(df / 2, x / 2);
}

std::optional<double> Spread::variance() const {
  if (n < 2) return std::nullopt;
  return squares / static_cast<double>(n - 1);
}

Spread spread_of(const std::vector<double>& replicates) {
  Spread spread{.n = static_cast<int64_t>(replicates.size())};
  if (replicates.empty()) return spread;
  for (const double x : replicates) spread.mean += x;
  spread.mean /= static_cast<double>(spread.n);
  for (const double x : replicates) spread.squares += (x - spread.mean) * (x - spread.mean);
  return spread;
}

void Pooled::add(const Spread& spread) {
  if (spread.n < 2) return;
  df += spread.n - 1;
  squares += spread.squares;
}

std::optional<double> Pooled::half_width(int64_t n) const {
  if (df == 0 || n == 0) return std::nullopt;
  const auto freedom = static_cast<double>(df);
  return t_critical(freedom, 0.95) * std::sqrt(squares / freedom / static_cast<double>(n));
}

std::optional<double> bartlett(const std::vector<Spread>& samples) {
  double k = 0;
  double df_sum = 0;
  double squares = 0;
  double log_sum = 0;
  double inverse_sum = 0;
  for (const auto& s : samples) {
    if (s.n < 2) continue;
    const auto df = static_cast<double>(s.n - 1);
    k += 1;
    df_sum += df;
    squares += s.squares;
    log_sum += df * std::log(std::max(s.squares / df, kTiny));
    inverse_sum += 1 / df;
  }
  if (k < 2 || squares == 0) return std::nullopt;
  const double statistic = df_sum * std::log(squares / df_sum) - log_sum;
  const double correction = 1 + (inverse_sum - 1 / df_sum) / (3 * (k - 1));
  return chi_squared_upper(std::max(statistic / correction, 0.0), k - 1);
}

}  // namespace ranktide
