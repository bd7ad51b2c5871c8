// Time comes in by argument, so that tests and simulations can hold it.

/** The time now, in milliseconds of some steady epoch. Only differences are used on the browser's side. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()
