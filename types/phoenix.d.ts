/** The parts of the official client that are used; the package has no types of its own. */
declare module "phoenix" {
  export interface Push {
    receive(status: string, callback: (response: Record<string, unknown>) => void): Push
  }
  export interface Channel {
    readonly state: string
    join(timeout?: number): Push
    leave(timeout?: number): Push
    push(event: string, payload: object, timeout?: number): Push
    on(event: string, callback: (payload: Record<string, unknown>) => void): number
    onClose(callback: (payload?: unknown) => void): void
    onError(callback: (reason: unknown) => void): number
  }
  export class Socket {
    constructor(endPoint: string, options?: Record<string, unknown>)
    connect(): void
    disconnect(callback?: () => void, code?: number, reason?: string): void
    channel(topic: string, params?: object | (() => object)): Channel
    onOpen(callback: () => void): string
    onClose(callback: (event: { readonly code: number; readonly reason: string }) => void): string
    onError(callback: (error: unknown) => void): string
    isConnected(): boolean
    connectionState(): string
    readonly channels: ReadonlyArray<Channel>
    ping(callback: (millis: number) => void): boolean
  }
  export interface Present {
    readonly metas: ReadonlyArray<Record<string, unknown>>
  }
  export class Presence {
    constructor(channel: Channel)
    onJoin(callback: (key: string, current: Present | undefined, joined: Present) => void): void
    onLeave(callback: (key: string, current: Present, left: Present) => void): void
    onSync(callback: () => void): void
    list<A>(by: (key: string, presence: Present) => A): Array<A>
  }
  export const Serializer: {
    encode(message: Record<string, unknown>, callback: (encoded: string | ArrayBuffer) => void): void
    decode(raw: string | ArrayBuffer, callback: (message: Record<string, unknown>) => void): void
  }
}
