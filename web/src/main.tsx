import { render } from 'solid-js/web';
import { App } from './app/app';
import { start } from './state/session';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/live.css';
import './styles/forms.css';
import './styles/overlays.css';
import './styles/pages.css';
import './styles/playback.css';
import './styles/timeline.css';
import './styles/recordings.css';

const root = document.getElementById('root');
if (root) {
  render(() => <App />, root);
  void start();
}
