export interface Model {
  /** Throws an error that names the fields at fault. */
  readonly validate: () => void
}
export interface ModelClass {
  new (data: unknown): Model
  readonly apiVersion: string
  readonly kind: string
}
export declare const Deployment: ModelClass
export declare const HorizontalPodAutoscaler: ModelClass
export declare const Job: ModelClass
export declare const Ingress: ModelClass
export declare const NetworkPolicy: ModelClass
export declare const PodDisruptionBudget: ModelClass
export declare const Namespace: ModelClass
export declare const Service: ModelClass
export declare const ScaledObject: ModelClass
