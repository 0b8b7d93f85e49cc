import type { Position } from '../../src/connector/position.ts';
import { type Places, placeText, positionText, type Snapshots } from './position.ts';

/**
 * Writes positions while one partition after the other moves on: what the others say stays the same, however many there
 * are.
 */
export class PositionWriter {
  readonly #clusterId: string;
  readonly #places: Places;
  #moving: string | null = null;
  #before = '';
  #behind = '';

  /** `places`: as they are whenever a position is written. */
  constructor(clusterId: string, places: Places) {
    this.#clusterId = clusterId;
    this.#places = places;
  }

  /** From here on no other partition moves than this one. */
  begin(name: string): void {
    this.#moving = name;
    const others = [...this.#places].sort(([a], [b]) => (a < b ? -1 : 1));
    const at = others.findIndex(([other]) => other === name);
    const text = (places: typeof others): string[] => places.map(([other, place]) => placeText(other, place));
    this.#before = text(others.slice(0, at))
      .map((one) => `${one},`)
      .join('');
    this.#behind = text(others.slice(at + 1))
      .map((one) => `,${one}`)
      .join('');
  }

  /** `handedOut`: of these partitions another place counts than what was read; null: of none. */
  text(snapshots: Snapshots, handedOut: Places | null): Position {
    const place = this.#moving === null ? undefined : this.#places.get(this.#moving);
    if (this.#moving === null || place === undefined || snapshots.size > 0 || handedOut !== null) {
      return positionText(this.#clusterId, this.#placesWith(handedOut ?? new Map()), snapshots);
    }
    const own = placeText(this.#moving, place);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same text as positionText makes
    return `kafka:${this.#clusterId}/${this.#before}${own}${this.#behind}` as Position;
  }

  /** Records do not say which topic they are of. */
  #placesWith(others: Places): Places {
    const places = new Map(this.#places);
    for (const [name, place] of others) {
      places.set(name, { ...place, topicId: this.#places.get(name)?.topicId ?? null });
    }
    return places;
  }
}
