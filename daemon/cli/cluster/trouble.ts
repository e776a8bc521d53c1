/** The message is for people, and says what to do. */
export class ClusterFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClusterFailed';
  }
}
