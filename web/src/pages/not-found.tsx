import { Link } from '../app/router';
import { t } from '../i18n';
import { Empty } from '../ui/controls';

export function NotFoundPage() {
  return (
    <div class="page">
      <Empty icon="search" title={t('notFound.title')} lead={t('notFound.lead')}>
        <Link class="btn" href="/">
          {t('notFound.home')}
        </Link>
      </Empty>
    </div>
  );
}
