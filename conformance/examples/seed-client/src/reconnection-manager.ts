export interface ReconnectionConfig {
  maxAttempts: number;
  initialDelay: number;
  maxDelay: number;
}

/** Exponential backoff. */
export class ReconnectionManager {
  private attempts = 0;

  constructor(private config: ReconnectionConfig) {}

  canRetry(): boolean {
    return this.attempts < this.config.maxAttempts;
  }

  nextDelay(): number {
    const delay = this.config.initialDelay * 2 ** this.attempts;
    this.attempts++;
    return Math.min(delay, this.config.maxDelay);
  }

  reset(): void {
    this.attempts = 0;
  }
}
