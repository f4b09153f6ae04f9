/** The messages between the bench and the process under test. */
export type Sides = Readonly<Record<"on" | "off", number>>

export type FromSubject =
  /** Ports. */
  | { readonly said: "listening"; readonly on: number; readonly off: number }
  /** So many broadcasts are on their way to every socket of a side; the bench answers once they are there. */
  | { readonly said: "sent"; readonly which: "on" | "off"; readonly broadcasts: number }
  /** CPU microseconds an event, and a broadcast. */
  | { readonly said: "round"; readonly worker: Sides; readonly fanOut: Sides }
  | { readonly said: "ended" }

export type ToSubject = { readonly reported: "begin" | "arrived" }
