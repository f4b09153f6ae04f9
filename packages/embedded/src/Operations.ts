/**
 * How an adapter stores data in the engine: a module file exports its `migrations`, its `operations` and, if old rows
 * expire, a `sweep`. The engine's thread imports the file by URL, so it must not import anything heavy.
 *
 * An operation is synchronous and deterministic: it reads and writes the database and returns a value that can be
 * cloned. It must not change memory, because its transaction may be rolled back and run again. Expected results
 * (`full`, a lost compare-and-set) are return values; throwing means a bug or a broken disk.
 */
export type SqlValue = null | number | bigint | string | Uint8Array

export interface EngineDatabase {
  readonly run: (sql: string, ...parameters: ReadonlyArray<SqlValue>) => RunResult
  /** The first row. The caller declares the row's shape, which follows from its statement. */
  readonly get: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) => Row | undefined
  readonly all: <Row>(sql: string, ...parameters: ReadonlyArray<SqlValue>) => ReadonlyArray<Row>
  /** Bytes in use, measured once per transaction. */
  readonly usedBytes: () => number
}

export interface RunResult {
  readonly changes: number
  readonly lastInsertRowid: number
}

export interface OperationContext {
  /** Options of the first process that registered the module with this owner. */
  readonly options: Readonly<Record<string, number>>
  /** Whether the topic has subscribers; avoids building a notification that no process receives. */
  readonly hasSubscribers: (topic: string) => boolean
  /** Notifies every subscriber of the topic, in every process, after the transaction is committed. */
  readonly emit: (topic: string, data?: unknown) => void
}

export type Operation<Args, Result> = (db: EngineDatabase, args: Args, context: OperationContext) => Result
export type Operations = Readonly<Record<string, Operation<never, unknown>>>

export interface OperationsModule {
  /** SQL scripts; the schema version is the number that have run. Never change a released one: append. */
  readonly migrations: ReadonlyArray<string>
  readonly operations: Operations
  /** Run by the owner every minute, in its own transaction. */
  readonly sweep?: (db: EngineDatabase, context: OperationContext, now: number) => void
}
