//! Sums and means with Neumaier's compensation, as Prometheus computes them.

/// A running sum and what rounding took from it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) sum: f64,
    pub(super) lost: f64,
}

impl Sum {
    /// Adds a number.
    pub(super) fn add(&mut self, number: f64) {
        let total = self.sum + number;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= number.abs() {
            self.lost += (self.sum - total) + number;
        } else {
            self.lost += (number - total) + self.sum;
        }
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A running mean: a sum as long as that does not overflow, then a mean that is corrected number by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    sum: Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(super) const fn new(first: f64) -> Self {
        Self { sum: Sum { sum: first, lost: 0.0 }, count: 1.0, incremental: false }
    }

    pub(super) fn add(&mut self, number: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut next = self.sum;
            next.add(number);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.incremental = true;
            self.sum = Sum { sum: self.sum.sum / (self.count - 1.0), lost: self.sum.lost / (self.count - 1.0) };
        }
        let share = (self.count - 1.0) / self.count;
        self.sum = Sum { sum: share * self.sum.sum, lost: share * self.sum.lost };
        self.sum.add(number / self.count);
    }

    pub(super) fn mean(self) -> f64 {
        if self.incremental {
            self.sum.sum + self.sum.lost
        } else {
            self.sum.sum / self.count + self.sum.lost / self.count
        }
    }
}

/// Mean and variance of numbers that come one by one (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variance {
    count: f64,
    mean: Sum,
    aux: Sum,
}

impl Variance {
    pub(super) fn add(&mut self, number: f64) {
        self.count += 1.0;
        let delta = number - (self.mean.sum + self.mean.lost);
        self.mean.add(delta / self.count);
        self.aux.add(delta * (number - (self.mean.sum + self.mean.lost)));
    }

    pub(super) fn variance(self) -> f64 {
        (self.aux.sum + self.aux.lost) / self.count
    }
}
