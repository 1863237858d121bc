#pragma once
// The few statistics that results are reported with: Student's t, pooled variance, Bartlett's test. Not a
// statistics library; pure functions over doubles, without tables.

#include <cstdint>
#include <optional>
#include <vector>

namespace ranktide {

// Returns: I_x(a, b), the regularised incomplete beta function. Requires: a, b > 0 and 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);
// Returns: P(a, x), the regularised lower incomplete gamma function. Requires: a > 0 and x >= 0.
double incomplete_gamma(double a, double x);

// Returns: P(|T| > t) of Student's t with df degrees of freedom. Requires: df > 0 and t >= 0.
double t_two_sided(double t, double df);
// Returns: the t with P(|T| <= t) = confidence, such as 12.706 for (1, 0.95). Requires: df > 0, 0 < confidence
// < 1.
double t_critical(double df, double confidence);
// Returns: P(X > x) of chi-squared with df degrees of freedom.
double chi_squared_upper(double x, double df);

// One sample of replicates. Its sum of squares is about its own mean, in two passes: the one-pass form gives 0
// for a variance of 0.01 around 1e7.
struct Spread {
  int64_t n = 0;
  double mean = 0;
  double squares = 0;  // sum of (x - mean)^2
  // Returns: the sample variance; nullopt below two replicates.
  std::optional<double> variance() const;
};
Spread spread_of(const std::vector<double>& replicates);

// Several samples that share one true variance.
struct Pooled {
  int64_t df = 0;
  double squares = 0;
  void add(const Spread& spread);
  // Returns: t(df)·s/√n, the 95 % half width of a mean over n replicates; nullopt when df is 0.
  std::optional<double> half_width(int64_t n) const;
};

// Returns: the probability, under equal variances, of spreads as unequal as these (Bartlett's test); nullopt
// with fewer than two samples of two or more replicates. Samples without any spread count as unequal.
std::optional<double> bartlett(const std::vector<Spread>& samples);

}  // namespace ranktide
