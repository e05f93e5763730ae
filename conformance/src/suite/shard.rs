//! One part of a run that several machines share.

use std::num::NonZeroUsize;
use std::str::FromStr;

/// The `index`th of `of` parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: NonZeroUsize,
}

/// Why a text is no shard.
#[derive(Debug, thiserror::Error)]
#[error("write the part and the number of parts, such as 3/16; parts are counted from 1")]
pub struct ShardError;

impl Shard {
    /// Which part it is, counted from 0, and of how many.
    pub fn part(self) -> (usize, usize) {
        (self.index - 1, self.of.get())
    }

    /// Whether the case at this place, counted from 0, is of this part. Parts differ by one case at most.
    pub fn takes(self, place: usize) -> bool {
        place % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, of) = text.split_once('/').ok_or(ShardError)?;
        let (index, of): (usize, NonZeroUsize) =
            (index.parse().map_err(|_| ShardError)?, of.parse().map_err(|_| ShardError)?);
        if (1..=of.get()).contains(&index) { Ok(Self { index, of }) } else { Err(ShardError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts together are the whole, each place in one of them, and what is no part is an error.
    #[test]
    fn parts_are_the_whole() {
        let shards: Vec<Shard> = (1..=3).map(|index| format!("{index}/3").parse().unwrap()).collect();
        for place in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.takes(place)).count(), 1);
        }
        for text in ["", "3", "0/3", "4/3", "1/0", "a/b", "1/3/3", "-1/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
