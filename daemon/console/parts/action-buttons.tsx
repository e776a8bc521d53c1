/** What can be done to what a view shows. Each button asks first. */
export interface ShownAction {
  readonly key: string;
  readonly label: string;
  /** It takes something away. */
  readonly isGrave: boolean;
}

export interface ActionButtonsProps<Action extends ShownAction> {
  readonly actions: readonly Action[];
  readonly ask: (action: Action) => void;
}

export function ActionButtons<Action extends ShownAction>({ actions, ask }: ActionButtonsProps<Action>) {
  return (
    <div class="buttons">
      {actions.map((action) => (
        <button key={action.key} type="button" class={action.isGrave ? 'grave' : ''} onClick={() => ask(action)}>
          {action.label}…
        </button>
      ))}
    </div>
  );
}
