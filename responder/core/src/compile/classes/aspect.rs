//! One aspect of clients, and the orders in which the arrangements that look at it put their members.

use std::collections::HashMap;

use crate::model::RRsetGroup;

/// The arrangements of one policy, and what they make of clients.
#[derive(Debug, Default)]
pub(super) struct Aspect {
    /// For each arrangement the different orders of its members, applicable ones only.
    pub(super) orders: Vec<Vec<Box<[usize]>>>,
    /// For each class of clients that are alike in this aspect, the number of each arrangement's order.
    pub(super) classes: Vec<Box<[u32]>>,
}

/// An [`Aspect`] while clients are being looked at.
#[derive(Debug, Default)]
pub(super) struct Finder<'a> {
    /// A group for each arrangement.
    pub(super) groups: Vec<&'a RRsetGroup>,
    found: Aspect,
    order_numbers: Vec<HashMap<Box<[usize]>, u32>>,
    class_numbers: HashMap<Box<[u32]>, u32>,
}

impl<'a> Finder<'a> {
    /// Adds an arrangement; gives its place among the others.
    pub(super) fn add(&mut self, group: &'a RRsetGroup) -> usize {
        self.groups.push(group);
        self.found.orders.push(Vec::new());
        self.order_numbers.push(HashMap::new());
        self.groups.len() - 1
    }

    /// The class of clients for whom the arrangements have these orders, one each.
    pub(super) fn class(&mut self, orders: impl IntoIterator<Item = Vec<usize>>) -> u32 {
        let known = self.order_numbers.iter_mut().zip(&mut self.found.orders);
        let numbers: Box<[u32]> = orders
            .into_iter()
            .zip(known)
            .map(|(order, (numbers, orders))| match numbers.get(&*order) {
                Some(&number) => number,
                None => {
                    let order: Box<[usize]> = order.into();
                    orders.push(order.clone());
                    numbers.insert(order, orders.len() as u32 - 1);
                    orders.len() as u32 - 1
                }
            })
            .collect();
        let next = self.found.classes.len() as u32;
        *self.class_numbers.entry(numbers).or_insert_with_key(|numbers| {
            self.found.classes.push(numbers.clone());
            next
        })
    }

    pub(super) fn found(self) -> Aspect {
        self.found
    }
}

/// What was found for numbered things.
#[derive(Debug)]
pub(super) struct Memo<T>(Vec<Option<T>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Memo<T> {
    /// What was found for this number, or is now.
    pub(super) fn get(&mut self, number: usize, find: impl FnOnce() -> T) -> &T {
        if number >= self.0.len() {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number].get_or_insert_with(find)
    }
}
