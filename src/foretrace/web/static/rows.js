// Which step stands in which row of a long list, when passes of loops are folded away: pure arithmetic.

/** Rows of `total` steps, in which each of `folds` that is not `opened` is one row. */
export class Rows {
  /**
   * @param {number} total
   * @param {import("./types.js").Fold[]} folds in the order of their starts; nested or apart
   * @param {Set<string>} opened keys of folds
   */
  constructor(total, folds, opened) {
    this.total = total;
    /** @type {{fold: import("./types.js").Fold, row: number}[]} */
    this.closed = [];
    let hidden = 0;
    let end = 0;
    for (const fold of folds) {
      if (fold.start < end || fold.end > total || opened.has(foldKey(fold))) continue;
      this.closed.push({ fold, row: fold.start - hidden });
      hidden += fold.end - fold.start - 1;
      end = fold.end;
    }
    this.length = total - hidden;
  }

  /** What stands in a row: a step's position, or a fold. */
  at(row) {
    const before = this.#last((closed) => closed.row <= row);
    if (!before) return { position: row };
    if (before.row === row) return { fold: before.fold };
    return { position: before.fold.end + row - before.row - 1 };
  }

  /** The row of a step, or of the fold that it is in. */
  of(position) {
    const before = this.#last((closed) => closed.fold.start <= position);
    if (!before) return position;
    return before.row + Math.max(position - before.fold.end + 1, 0);
  }

  /** The fold that hides a step, if one does. */
  hiding(position) {
    const before = this.#last((closed) => closed.fold.start <= position);
    return before && position < before.fold.end ? before.fold : null;
  }

  /** The last closed fold for which `holds` is true; it is true up to some fold and false after it. */
  #last(holds) {
    let low = 0;
    let high = this.closed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.closed[middle])) low = middle + 1;
      else high = middle;
    }
    return this.closed[low - 1];
  }
}

/** What tells a fold from others. */
export const foldKey = (fold) => `${fold.start}-${fold.line}-${fold.first}`;
