/** Devices and push preferences of a user: stored for the service that sends notifications. Pure. */
import type { DeviceCommand, DeviceRemoveCommand, Outcome, PushCommand } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Draft } from './draft.ts';

export function decideDeviceAdd(_draft: Draft, _command: DeviceCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideDeviceRemove(_draft: Draft, _command: DeviceRemoveCommand): Outcome {
  throw new RosterError('internal');
}

export function decidePush(_draft: Draft, _command: PushCommand): Outcome {
  throw new RosterError('internal');
}
