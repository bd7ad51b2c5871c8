// Time comes in as an argument, so that tests and simulations can hold it.

/** The time now, in milliseconds since 1970. */
export type Clock = () => number

/** The clock of the machine. */
export const systemClock: Clock = () => Date.now()
