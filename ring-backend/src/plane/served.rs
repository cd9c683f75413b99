//! What the control plane asks of the plane.

use super::{DeviceFault, Plane};
use crate::control::DataPlane;
use crate::link::{DeviceLink, DeviceSlot};
use crate::policy::Policy;
use crate::route::Misrouted;
use crate::seat::Seat;
use crate::statistics::{Held, Statistics};
use crate::world::{Card, DomId, Nanos, World};

impl<W: World> DataPlane<W> for Plane<W> {
    type Fault = DeviceFault;

    fn connect(
        &mut self,
        slot: DeviceSlot,
        link: &DeviceLink,
        world: &mut W,
    ) -> Result<(), DeviceFault> {
        self.connect(slot, link, world)
    }

    fn disconnect(&mut self, slot: DeviceSlot, world: &mut W) {
        self.disconnect(slot, world);
    }

    fn set_policy(&mut self, dom: DomId, policy: Policy) {
        self.set_policy(dom, policy);
    }

    fn misrouted(&self, slot: DeviceSlot) -> Option<Misrouted> {
        self.misrouted(slot)
    }

    fn poll<C: Card>(&mut self, now: Nanos, world: &mut W, card: Option<&mut C>) -> Option<Nanos> {
        self.poll(now, world, card)
    }

    fn take_fault(&mut self) -> Option<(DeviceSlot, DeviceFault)> {
        self.take_fault()
    }

    fn meter(&mut self, now: Nanos) {
        self.meter.watch(now);
    }

    fn statistics(&self, slot: DeviceSlot, stream: u8) -> Option<Statistics> {
        self.statistics(slot, stream)
    }

    fn refuse(&mut self, slot: DeviceSlot) {
        let seats = self.seats.iter_mut().flatten();
        seats
            .filter(|seat| seat.slot() == slot)
            .for_each(Seat::refuse);
    }

    fn retire(&mut self, slot: DeviceSlot, world: &mut W) {
        let seats = self.seats.iter_mut().flatten();
        for seat in seats.filter(|seat| seat.slot() == slot) {
            seat.retire(world, &mut self.arena);
        }
    }

    fn is_open(&self, slot: DeviceSlot) -> bool {
        let mut seats = self.seats.iter().flatten();
        seats.any(|seat| seat.slot() == slot && seat.is_open())
    }

    fn held(&self, world: &W) -> Held {
        Held {
            world: world.holding(),
            streams: self.seats.iter().flatten().count(),
            buffer_octets: self.arena.capacity() - self.arena.free_octets(),
            ..Held::default()
        }
    }
}
