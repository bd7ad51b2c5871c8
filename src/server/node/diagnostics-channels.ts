// The watched events as channels of `node:diagnostics_channel`.
import { channel } from 'node:diagnostics_channel'
import { type WatchChannels, watchedNames } from '../core/watch.ts'

export const nodeChannels: WatchChannels = Object.fromEntries(
  watchedNames.map((name) => [name, channel(`session-mirror:${name}`)]),
) as unknown as WatchChannels // All of them.
