//! Stands where the mixer goes: a data plane that connects no device.

use crate::world::Xen;
use ring_backend::control::DataPlane;
use ring_backend::link::{DeviceLink, DeviceSlot};
use ring_backend::statistics::Statistics;
use ring_backend::world::{Card, Nanos};

/// Refuses every device.
pub struct Refuse;

impl DataPlane<Xen> for Refuse {
    type Fault = &'static str;

    fn connect(&mut self, _: DeviceSlot, _: &DeviceLink, _: &mut Xen) -> Result<(), &'static str> {
        Err("this audio domain cannot mix yet")
    }

    fn disconnect(&mut self, _: DeviceSlot, _: &mut Xen) {}

    fn poll<C: Card>(&mut self, _: Nanos, _: &mut Xen, _: Option<&mut C>) -> Option<Nanos> {
        None
    }

    fn take_fault(&mut self) -> Option<(DeviceSlot, &'static str)> {
        None
    }

    fn statistics(&self, _: DeviceSlot, _: u8) -> Option<Statistics> {
        None
    }
}
